"""ECR Public with boto3, the AWS command line, skopeo and docker: everybody pulls, few push."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import aws, image
from harness.engine import Containers, Docker
from harness.http import Registry, digest_of, send, small_image
from harness.png import png
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tools import run, wait_until


@pytest.fixture(scope="module")
def public(server: Server) -> Any:
    """A boto3 client of ECR Public."""
    return aws.client(server, "ecr-public")


@pytest.fixture
def shown(public: Any) -> dict[str, Any]:
    """A fresh public repository."""
    return dict(public.create_repository(repositoryName=aws.unique_name("shown/repository"))["repository"])


def path_of(repository: dict[str, Any]) -> str:
    """The alias and the name."""
    return str(repository["repositoryUri"].partition("/")[2])


def anonymous(server: Server) -> str:
    """The Authorization header of whoever shows no credentials."""
    answer = send(server.public_host, "GET", "/token/?service=here&scope=aws").expect(200)
    return f"Bearer {answer.json()['token']}"


def bearer(server: Server, token: str) -> Registry:
    """A raw client with this Authorization header."""
    registry = Registry(server.public_host, None)
    registry.authorization = token
    return registry


def pusher(server: Server, public: Any) -> Registry:
    """A raw client with the password of ECR Public, as Basic."""
    return Registry(server.public_host, aws.public_password(public))


# --- the API


def test_a_repository_is_known_by_the_default_alias(server: Server, public: Any, shown: dict[str, Any]) -> None:
    registry = public.describe_registries()["registries"][0]
    alias = registry["aliases"][0]
    assert (alias["status"], alias["primaryRegistryAlias"], alias["defaultRegistryAlias"]) == ("ACTIVE", True, True)
    assert registry["registryUri"] == f"{server.public_host}/{alias['name']}"
    assert registry["registryArn"] == f"arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}"
    assert shown["repositoryUri"] == f"{registry['registryUri']}/{shown['repositoryName']}"
    assert shown["repositoryArn"] == f"arn:aws:ecr-public::{ACCOUNT}:repository/{shown['repositoryName']}"
    # Named hosts have a name for it, whatever the region of the request.
    named = aws.client(server, "ecr-public", url=f"http://{server.api_name}")
    uri = named.describe_repositories(repositoryNames=[shown["repositoryName"]])["repositories"][0]["repositoryUri"]
    assert uri == f"{server.public_name}/{path_of(shown)}"


def test_catalog_data_and_the_logo(server: Server, public: Any, shown: dict[str, Any]) -> None:
    name = shown["repositoryName"]
    logo = png(100, 60)
    data = {
        "description": "An image",
        "architectures": ["x86-64", "ARM 64"],
        "operatingSystems": ["Linux"],
        "logoImageBlob": logo,
        "aboutText": "# About",
        "usageText": "Use it.",
    }
    put = public.put_repository_catalog_data(repositoryName=name, catalogData=data)["catalogData"]
    got = public.get_repository_catalog_data(repositoryName=name)["catalogData"]
    assert got == put
    assert {key: got[key] for key in data if key in got} == {key: data[key] for key in data if key in got}
    assert got["logoUrl"].startswith(f"http://{server.public_host}/logos/")
    answer = send(server.public_host, "GET", got["logoUrl"].partition(server.public_host)[2]).expect(200)
    assert (answer.body, answer.headers["Content-Type"]) == (logo, "image/png")
    for wrong in (png(59, 60), png(60, 2049), b"GIF89a", logo[:20]):
        refused = aws.failure(
            public.put_repository_catalog_data, repositoryName=name, catalogData={**data, "logoImageBlob": wrong}
        )
        assert refused.code == "InvalidParameterException", refused
    assert public.get_repository_catalog_data(repositoryName=name)["catalogData"] == got
    display = public.put_registry_catalog_data(displayName="Harbour")["registryCatalogData"]
    assert display == public.get_registry_catalog_data()["registryCatalogData"] == {"displayName": "Harbour"}


def test_layers_are_pushed_by_alias(public: Any, shown: dict[str, Any]) -> None:
    alias, name = path_of(shown).partition("/")[0], shown["repositoryName"]
    content = b"a layer"
    for registry in (alias, ACCOUNT):
        opened = public.initiate_layer_upload(registryId=registry, repositoryName=name)
        part = {"partFirstByte": 0, "partLastByte": len(content) - 1, "layerPartBlob": content}
        public.upload_layer_part(registryId=registry, repositoryName=name, uploadId=opened["uploadId"], **part)
    refused = aws.failure(public.initiate_layer_upload, registryId="no-such-alias", repositoryName=name)
    assert refused.code == "RegistryNotFoundException"


def test_the_command_line(server: Server) -> None:
    for command in aws.COMMAND_LINES:
        name = aws.unique_name("shown/cli")
        created = command.json(server, "ecr-public", "create-repository", "--repository-name", name)
        assert created["repository"]["repositoryName"] == name
        password = command.run(server, "ecr-public", "get-login-password").stdout.strip()
        Registry(server.public_host, password).send("GET", "/v2/").expect(200)
        command.json(server, "ecr-public", "delete-repository", "--repository-name", name)


# --- tokens


def test_everybody_is_told_where_tokens_are(server: Server) -> None:
    answer = send(server.public_host, "GET", "/v2/").expect(401)
    host = server.public_host
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="http://{host}/token/",service="{host}",scope="aws"'
    send(server.public_host, "GET", "/v2/", headers={"Authorization": anonymous(server)}).expect(200)
    # The other listener serves the same under its name.
    named = send(server.host, "GET", "/v2/", host_header=server.public_name).expect(401)
    assert f'realm="http://{server.public_name}/token/"' in named.headers["WWW-Authenticate"]


def test_anonymous_pulls_and_refused_pushes(server: Server, public: Any, shown: dict[str, Any]) -> None:
    path, name = path_of(shown), shown["repositoryName"]
    pushed = pusher(server, public).push_small_image(path, "v1", "public", layers=2)
    somebody = bearer(server, anonymous(server))
    assert somebody.get_manifest(path, "v1").expect(200).body == pushed.manifest
    for blob in pushed.blobs:
        assert somebody.get_blob(path, digest_of(blob)).expect(200).body == blob
        somebody.send("HEAD", f"/v2/{path}/blobs/{digest_of(blob)}").expect(200)
        assert somebody.get_blob(path, digest_of(blob), Range="bytes=0-3").expect(206).body == blob[:4]
    tags = somebody.send("GET", f"/v2/{path}/tags/list").expect(200).json()
    assert tags == {"name": path, "tags": ["v1"]}
    somebody.send("POST", f"/v2/{path}/blobs/uploads/").expect_error(403, "DENIED")
    somebody.push_manifest(path, "v2", pushed.manifest).expect_error(403, "DENIED")
    somebody.send("DELETE", f"/v2/{path}/manifests/v1").expect_error(403, "DENIED")
    details = public.describe_image_tags(repositoryName=name)["imageTagDetails"]
    assert [(tag["imageTag"], tag["imageDetail"]["imageDigest"]) for tag in details] == [("v1", pushed.digest)]
    described = public.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert described[0]["imageDigest"] == pushed.digest


def test_tokens_of_private_registries_are_of_no_use(server: Server, ecr: Any, public: Any) -> None:
    Registry(server.public_host, aws.registry_password(ecr)).send("GET", "/v2/").expect(401)
    Registry(server.host, aws.public_password(public)).send("GET", "/v2/").expect(400)


def test_the_token_itself_is_a_bearer_token(server: Server, public: Any) -> None:
    token = public.get_authorization_token()["authorizationData"]["authorizationToken"]
    bearer(server, f"Bearer {token}").send("GET", "/v2/").expect(200)
    basic = {"Authorization": f"Basic {token}"}
    fetched = send(server.public_host, "GET", "/token/?scope=aws", headers=basic).expect(200).json()["token"]
    bearer(server, f"Bearer {fetched}").send("GET", "/v2/").expect(200)


def test_a_user_pushes_by_permission(server: Server, public: Any, shown: dict[str, Any]) -> None:
    iam = aws.client(server, "iam")
    user = aws.unique_name("pusher").replace("/", "-")
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    settings = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    own = aws.client(server, "ecr-public", **settings)

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_user_policy(UserName=user, PolicyName="own", PolicyDocument=document)

    login = ("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken")
    allow(login[0])
    refused = aws.failure(own.get_authorization_token)
    assert refused.code == "AccessDeniedException" and "sts:GetServiceBearerToken" in refused.message, refused
    allow(*login)
    registry = pusher(server, own)
    path = path_of(shown)
    registry.send("POST", f"/v2/{path}/blobs/uploads/").expect_error(403, "DENIED")
    allow(*login, "ecr-public:InitiateLayerUpload", "ecr-public:UploadLayerPart", "ecr-public:CompleteLayerUpload",
          "ecr-public:PutImage")
    registry.push_small_image(path, "v1", "by permission")
    assert registry.get_manifest(path, "v1").status == 200


def test_owners_ask_for_pulls_with_curl(server: Server, public: Any, shown: dict[str, Any]) -> None:
    pushed = pusher(server, public).push_small_image(path_of(shown), "v1", "counted")
    bearer(server, anonymous(server)).get_manifest(path_of(shown), "v1").expect(200)

    def ask(secret: str = ROOT_SECRET, **wanted: Any) -> dict[str, Any]:
        out = run(
            "curl", "--silent", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:tonnage",
            "--user", f"{ROOT_KEY_ID}:{secret}", "--header", "Content-Type: application/x-amz-json-1.1",
            "--header", "X-Amz-Target: Tonnage_V20260101.GetPullStatistics",
            "--data", json.dumps({"repositoryName": shown["repositoryName"], **wanted}), f"{server.url}/",
        )
        return dict(json.loads(out.stdout))

    def by(kind: str) -> list[dict[str, Any]]:
        return list(ask(groupBy=kind)["pullCounts"])

    wait_until(lambda: by("tag") == [{"imageTag": "v1", "pulls": 1}], 30, "the pull is counted")
    assert by("digest") == [{"imageDigest": pushed.digest, "pulls": 1}]
    assert [count["pulls"] for count in by("day")] == [1]
    assert [set(count) - {"network"} for count in by("network")] == [{"pulls"}]
    (count,) = ask(days=7)["pullCounts"]
    assert (count["imageTag"], count["imageDigest"], count["pulls"]) == ("v1", pushed.digest, 1)
    assert ask(repositoryName="absent")["__type"] == "RepositoryNotFoundException"
    assert ask(groupBy="moon")["__type"] == "InvalidParameterException"
    assert ask(secret="wrong")["__type"] == "InvalidSignatureException"


# --- clients


def test_skopeo(
    server: Server, public: Any, shown: dict[str, Any], busybox: image.Image, tmp_path: Path
) -> None:
    reference = f"{server.public_host}/{path_of(shown)}:v1"
    tools = Containers(tmp_path / "tools")
    tools.trust(server.public_host)
    image.write_layout(tmp_path / "in", "built", busybox)
    copy = ("copy", "--preserve-digests", f"oci:{tmp_path / 'in'}:built", f"docker://{reference}")
    refused = tools.skopeo(*copy, status=-1)
    assert "denied" in refused.text.lower() or "unauthorized" in refused.text.lower(), str(refused)
    tools.login(server.public_host, aws.public_password(public), tool="skopeo")
    tools.skopeo(*copy)
    tools.close()
    nobody = Containers(tmp_path / "nobody")
    nobody.trust(server.public_host)
    nobody.skopeo("copy", "--preserve-digests", f"docker://{reference}", f"oci:{tmp_path / 'out'}:v1")
    inspected = json.loads(nobody.skopeo("inspect", f"docker://{reference}").stdout)
    assert (inspected["Digest"], inspected["RepoTags"]) == (busybox.digest, ["v1"])
    nobody.close()


def test_docker(
    server: Server, public: Any, docker: Docker, shown: dict[str, Any], busybox: image.Image, tmp_path: Path
) -> None:
    path = path_of(shown)
    name = f"{server.public_host}/{path}:v1"
    registry = pusher(server, public)
    for blob in busybox.blobs:
        registry.push_blob(path, blob).expect(201)
    registry.push_manifest(path, "v1", busybox.manifest).expect(201)
    docker.docker("logout", server.public_host)
    docker.docker("pull", name)
    assert docker.docker("run", "--rm", "--net", "host", name).stdout.strip() == "busybox"
    second = f"{server.public_host}/{path}:v2"
    docker.docker("tag", name, second)
    refused = docker.docker("push", second, status=1)
    assert "denied" in refused.text.lower() or "unauthorized" in refused.text.lower(), str(refused)
    docker.login(server.public_host, aws.public_password(public))
    docker.docker("push", second)
    docker.docker("logout", server.public_host)
    docker.forget(name, second)
    docker.docker("pull", second)


# --- aliases and limits


def test_aliases(own_server: Server) -> None:
    public = aws.client(own_server, "ecr-public")
    created = public.create_repository(repositoryName="shown")["repository"]
    default = path_of(created).partition("/")[0]
    place = ("--data-dir", str(own_server.data))

    def aliases(*words: str, status: int = 0) -> Any:
        return own_server.subcommand("public", "aliases", *words, *place, status=status)

    account = ("--account", ACCOUNT)
    for name, reason in (("amazon-tools", "reserved"), ("lambda", "reserved"), ("No", "is no alias")):
        assert reason in aliases("request", name, *account, status=1).text
    aliases("request", "harbour", *account)
    path = "/v2/harbour/shown/tags/list"
    somebody = bearer(own_server, anonymous(own_server))
    somebody.send("GET", path).expect_error(404, "NAME_UNKNOWN")
    aliases("approve", "harbour", *account)
    somebody.send("GET", path).expect(200)
    assert "looks too much like" in aliases("request", "harb0ur", *account, status=1).text
    assert public.describe_repositories()["repositories"][0]["repositoryUri"] == created["repositoryUri"]
    aliases("primary", "harbour", *account)
    uri = public.describe_repositories()["repositories"][0]["repositoryUri"]
    assert uri == f"{own_server.public_host}/harbour/shown"
    # Every active alias works.
    somebody.send("GET", f"/v2/{default}/shown/tags/list").expect(200)
    aliases("reject", default, *account)
    somebody.send("GET", f"/v2/{default}/shown/tags/list").expect_error(404, "NAME_UNKNOWN")
    listed = aliases("list").stdout.splitlines()
    assert any("harbour" in line and "ACTIVE" in line and "primary" in line for line in listed), listed
    own_server.subcommand("public", "verify", ACCOUNT, *place)
    registry = public.describe_registries()["registries"][0]
    assert registry["verified"] is True
    assert {alias["name"]: alias["status"] for alias in registry["aliases"]} == {"harbour": "ACTIVE", default: "REJECTED"}


class Limited(Server):
    """A server that limits this machine, too."""

    def command(self) -> list[str]:
        words = ["--public-limit-loopback", "--public-anonymous-pulls", "1", "--public-anonymous-bytes", "6000"]
        return super().command() + [words[0] + "=true", *words[1:]]


def test_limits(binary: Path, tmp_path: Path) -> None:
    server = Limited(binary, tmp_path / "limited").start()
    public = aws.client(server, "ecr-public")
    path = path_of(public.create_repository(repositoryName="shown")["repository"])
    registry = pusher(server, public)
    content = bytes(5000)
    registry.push_blob(path, content).expect(201)
    pushed = small_image("limited")
    for blob in pushed.blobs:
        registry.push_blob(path, blob).expect(201)
    registry.push_manifest(path, "v1", pushed.manifest).expect(201)
    somebody = bearer(server, anonymous(server))
    answers = [somebody.get_manifest(path, "v1") for _ in range(30)]
    refused = next(answer for answer in answers if answer.status != 200)
    assert refused.expect(429).errors[0] == ("TOOMANYREQUESTS", "Rate exceeded")
    assert refused.headers["Retry-After"] == "1"
    # What is not a pull of a manifest goes on until the bytes are gone, also after a restart.
    statuses = [somebody.get_blob(path, digest_of(content)).status for _ in range(3)]
    assert statuses[-1] == 429, statuses
    server.restart()
    answer = somebody.get_blob(path, digest_of(content)).expect(429)
    assert answer.errors[0] == ("TOOMANYREQUESTS", "Data limit exceeded")
    assert answer.headers["Retry-After"] == "3600"
    # With credentials there is another allowance.
    registry.get_blob(path, digest_of(content)).expect(200)
    server.close()

