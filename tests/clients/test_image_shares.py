"""Shares of private images: docker, skopeo and podman pull with the password of one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Iterator

import boto3
import botocore.session
import pytest

from harness import aws, image
from harness.engine import Containers, Docker
from harness.http import Registry, image_index
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from test_docker import load, run_container


class SharingServer(Server):
    """A server whose operator lets images be shared."""

    def command(self) -> list[str]:
        return [*super().command(), "--image-shares"]


@pytest.fixture(scope="module")
def sharing(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharingServer]:
    server = SharingServer(binary, tmp_path_factory.mktemp("shares") / "server")
    server.start()
    aws.client(server).create_repository(repositoryName="app")
    yield server
    server.close()


def share(server: Server, reference: str, *words: str) -> dict[str, Any]:
    """Makes a share."""
    given = ("images", "share", reference, "--json", "--data-dir", str(server.data), *words)
    return dict(json.loads(server.subcommand(*given).stdout))


def client(server: Server, made: dict[str, Any]) -> Registry:
    """A raw client with the password of a share."""
    return Registry(server.host, made["password"], user=made["user"])


def test_docker_pulls_with_a_share(
    sharing: SharingServer, busybox: image.Image, tmp_path: Path
) -> None:
    engine = Docker(tmp_path / "docker").start()
    try:
        engine.login(sharing.host, aws.registry_password(aws.client(sharing)))
        for tag in ("v1", "other"):
            load(engine, tmp_path, f"{sharing.host}/app:{tag}", busybox)
            engine.docker("push", f"{sharing.host}/app:{tag}")
            engine.forget(f"{sharing.host}/app:{tag}")
        engine.docker("logout", sharing.host)
        made = share(sharing, "app:v1", "--for", "1h", "--uses", "1", "--host", sharing.host)
        reference = made["reference"]
        assert reference == f"{sharing.host}/app@{made['share']['digest']}"
        engine.docker("login", "--username", made["user"], "--password-stdin", sharing.host, stdin=made["password"])
        engine.docker("pull", reference)
        assert run_container(engine, reference) == "busybox"
        engine.forget(reference)
        refused = engine.docker("pull", f"{sharing.host}/app:other", status=-1)
        assert "denied" in refused.stderr + refused.stdout
        refused = engine.docker("push", f"{sharing.host}/app:other", status=-1)
        (listed,) = [one for one in listing(sharing) if one["id"] == made["share"]["id"]]
        assert (listed["status"], listed["uses"], listed["uses_max"]) == ("USED", 1, 1)
    finally:
        engine.stop()


def listing(server: Server) -> list[dict[str, Any]]:
    out = server.subcommand("images", "shares", "app", "--json", "--data-dir", str(server.data)).stdout
    return list(json.loads(out))


def test_skopeo_pulls_an_index_with_a_share_until_it_is_revoked(sharing: SharingServer, tmp_path: Path) -> None:
    registry = aws.registry(sharing, aws.client(sharing))
    children = [registry.push_small_image("app", "", seed) for seed in ("amd64", "arm64")]
    index = image_index(*children)
    kind = "application/vnd.oci.image.index.v1+json"
    registry.push_manifest("app", "both", index, kind).expect(201)
    registry.push_small_image("app", "secret", "secret")
    tools = Containers(tmp_path / "state")
    try:
        tools.trust(sharing.host)
        made = share(sharing, "app:both", "--for", "30m", "--host", sharing.host)
        credentials = ("--src-creds", f"{made['user']}:{made['password']}", "--src-tls-verify=false")
        source = f"docker://{made['reference']}"
        tools.skopeo("copy", "--all", *credentials, source, f"oci:{tmp_path / 'out'}:v1")
        for other in ("app:both", "app:secret"):
            refused = tools.skopeo(
                "copy", *credentials, f"docker://{sharing.host}/{other}", f"oci:{tmp_path / 'no'}:v1", status=-1
            )
            assert "denied" in refused.stderr.lower(), refused.stderr
        holder = client(sharing, made)
        holder.get_manifest("app", children[0].digest).expect(200)
        holder.send("GET", "/v2/app/tags/list").expect_error(403, "DENIED")
        holder.send("GET", "/v2/_catalog").expect_error(403, "DENIED")
        out = sharing.subcommand("images", "unshare", "app", made["share"]["id"], "--data-dir", str(sharing.data))
        assert made["share"]["id"] in out.stdout
        refused = tools.skopeo("copy", *credentials, source, f"oci:{tmp_path / 'no'}:v1", status=-1)
        assert "denied" in refused.stderr.lower(), refused.stderr
    finally:
        tools.close()


def test_a_share_of_a_user_is_good_while_the_user_may_pull(sharing: SharingServer) -> None:
    registry = aws.registry(sharing, aws.client(sharing))
    registry.push_small_image("app", "mine", "mine")
    iam = aws.client(sharing, "iam")
    iam.create_user(UserName="alice")
    words = ("images", "share", "app:mine", "--for", "1h", "--as", "alice", "--data-dir", str(sharing.data))
    assert "CreateImageShare" in sharing.subcommand(*words, status=1).stderr
    actions = ["tonnage:CreateImageShare", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": allow}
    iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=json.dumps(document))
    made = share(sharing, "app:mine", "--for", "1h", "--as", "alice")
    assert made["share"]["made_by"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    holder = client(sharing, made)
    holder.get_manifest("app", made["share"]["digest"]).expect(200)
    iam.delete_user_policy(UserName="alice", PolicyName="own")
    holder.get_manifest("app", made["share"]["digest"]).expect_error(403, "DENIED")
    iam.delete_user(UserName="alice")
    holder.send("GET", "/v2/").expect_error(403, "DENIED")
    # The password is in no log.
    assert made["password"].split(".")[1] not in sharing.log.read_text()
    basic = base64.b64encode(f"share:{made['password']}".encode()).decode()
    assert basic not in sharing.log.read_text()


def test_owners_share_with_boto3(sharing: SharingServer, tmp_path: Path) -> None:
    model = tmp_path / "tonnage" / "2026-01-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text(sharing.subcommand("api", "model").stdout)
    session = botocore.session.get_session()
    session.get_component("data_loader").search_paths.append(str(tmp_path))
    own = boto3.session.Session(
        aws_access_key_id=ROOT_KEY_ID, aws_secret_access_key=ROOT_SECRET, region_name=sharing.region,
        botocore_session=session,
    ).client("tonnage", endpoint_url=sharing.url)
    pushed = aws.registry(sharing, aws.client(sharing)).push_small_image("app", "api", "api")
    image_id = {"imageTag": "api"}
    made = own.create_image_share(repositoryName="app", imageId=image_id, validForSeconds=3600, maxUses=2)
    known = made["imageShare"]
    assert (known["shareStatus"], known["imageDigest"], known["maxUses"]) == ("ACTIVE", pushed.digest, 2)
    holder = Registry(sharing.host, made["password"], user=made["userName"])
    holder.get_manifest("app", pushed.digest).expect(200)
    (listed,) = [one for one in own.list_image_shares(repositoryName="app")["imageShares"]
                 if one["shareId"] == known["shareId"]]
    assert (listed["uses"], listed["createdBy"]) == (1, f"arn:aws:iam::{ACCOUNT}:root")
    # The command line of ours has no need of a shell on the server.
    call = ("api", "call", "ListImageShares", '{"repositoryName": "app"}')
    told = json.loads(sharing.subcommand(*call, env=sharing.client_environment()).stdout)
    assert known["shareId"] in [one["shareId"] for one in told["imageShares"]]
    wrong = sharing.client_environment(AWS_SECRET_ACCESS_KEY="wrong")
    assert "InvalidSignatureException" in sharing.subcommand(*call, env=wrong, status=1).stderr
    ended = own.revoke_image_share(repositoryName="app", shareId=known["shareId"])
    assert ended["imageShare"]["shareStatus"] == "REVOKED"
    holder.get_manifest("app", pushed.digest).expect_error(403, "DENIED")
    moved = own.list_tag_history(repositoryName="app", imageTag="api")["tagMoves"]
    assert [one["imageDigest"] for one in moved] == [pushed.digest]
    refused = aws.failure(own.create_image_share, repositoryName="app", imageId={"imageTag": "no"},
                          validForSeconds=60)
    assert refused.code == "ImageNotFoundException"


def test_without_the_setting_nothing_is_shared(server: Server, ecr: Any, repository: str, registry: Registry) -> None:
    registry.push_small_image(repository, "v1", "closed")
    words = ("images", "share", f"{repository}:v1", "--for", "1h", "--data-dir", str(server.data))
    assert "image_shares" in server.subcommand(*words, status=1).stderr
