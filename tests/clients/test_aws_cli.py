"""Two AWS command lines: the newest from Python's index, and Debian's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from harness import aws
from harness.aws import CommandLine
from harness.http import MANIFEST_TYPE, Registry, digest_of, small_image
from harness.server import ACCOUNT, REGION, Server

pytestmark = pytest.mark.parametrize("cli", aws.COMMAND_LINES, ids=lambda cli: cli.name)


def test_repositories(server: Server, cli: CommandLine) -> None:
    name = aws.unique_name("cli/repository")
    created = cli.json(
        server, "ecr", "create-repository", "--repository-name", name, "--tags", "Key=team,Value=harbour"
    )
    assert created["repository"]["repositoryUri"] == f"{server.host}/{name}"
    arn = created["repository"]["repositoryArn"]
    described = cli.json(server, "ecr", "describe-repositories", "--repository-names", name)["repositories"]
    assert [entry["repositoryArn"] for entry in described] == [arn]
    tags = cli.json(server, "ecr", "list-tags-for-resource", "--resource-arn", arn)["tags"]
    assert tags == [{"Key": "team", "Value": "harbour"}]
    cli.run(server, "ecr", "put-image-tag-mutability", "--repository-name", name, "--image-tag-mutability", "IMMUTABLE")
    deleted = cli.json(server, "ecr", "delete-repository", "--repository-name", name)
    assert deleted["repository"]["repositoryName"] == name
    out = cli.run(server, "ecr", "describe-repositories", "--repository-names", name, status=-1)
    assert "(RepositoryNotFoundException) when calling the DescribeRepositories operation" in out.stderr
    assert f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'" in out.stderr


def test_the_client_pages(server: Server, cli: CommandLine, ecr: Any, registry: Registry) -> None:
    name = aws.unique_name("cli/pages")
    ecr.create_repository(repositoryName=name)
    image = registry.push_small_image(name, "t0", name)
    for number in range(1, 12):
        registry.push_manifest(name, f"t{number}", image.manifest).expect(201)
    listed = cli.json(server, "ecr", "list-images", "--repository-name", name, "--page-size", "5")["imageIds"]
    assert sorted(entry["imageTag"] for entry in listed) == sorted(f"t{number}" for number in range(12))
    some = cli.json(server, "ecr", "list-images", "--repository-name", name, "--max-items", "3")
    assert len(some["imageIds"]) == 3 and some["NextToken"]
    details = cli.json(server, "ecr", "describe-images", "--repository-name", name)["imageDetails"]
    assert [entry["imageDigest"] for entry in details] == [image.digest]


def test_login_password(server: Server, cli: CommandLine) -> None:
    password = cli.run(server, "ecr", "get-login-password").stdout.strip()
    Registry(server.host, password).send("GET", "/v2/").expect(200)
    token = cli.json(server, "ecr", "get-authorization-token")["authorizationData"][0]
    assert token["proxyEndpoint"] == server.url
    assert base64.b64decode(token["authorizationToken"]).startswith(b"AWS:")


def test_an_image(server: Server, cli: CommandLine, ecr: Any, tmp_path: Path) -> None:
    name = aws.unique_name("cli/image")
    ecr.create_repository(repositoryName=name)
    image = small_image(name)
    for number, blob in enumerate(image.blobs):
        part = tmp_path / f"part-{number}"
        part.write_bytes(blob)
        upload = cli.json(server, "ecr", "initiate-layer-upload", "--repository-name", name)["uploadId"]
        chosen = ("--repository-name", name, "--upload-id", upload)
        cli.run(
            server,
            *("ecr", "upload-layer-part", *chosen, "--layer-part-blob", f"fileb://{part}"),
            *("--part-first-byte", "0", "--part-last-byte", str(len(blob) - 1)),
        )
        done = cli.json(server, "ecr", "complete-layer-upload", *chosen, "--layer-digests", digest_of(blob))
        assert done["layerDigest"] == digest_of(blob)
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(image.manifest)
    put = cli.json(
        server,
        *("ecr", "put-image", "--repository-name", name, "--image-tag", "v1"),
        *("--image-manifest", f"file://{manifest}", "--image-manifest-media-type", MANIFEST_TYPE),
    )
    assert put["image"]["imageId"] == {"imageDigest": image.digest, "imageTag": "v1"}
    got = cli.json(server, "ecr", "batch-get-image", "--repository-name", name, "--image-ids", "imageTag=v1")
    assert got["images"][0]["imageManifest"].encode() == image.manifest
    url = cli.json(
        server,
        *("ecr", "get-download-url-for-layer", "--repository-name", name),
        *("--layer-digest", digest_of(image.blobs[1])),
    )["downloadUrl"]
    assert url.startswith(server.url)
    gone = cli.json(server, "ecr", "batch-delete-image", "--repository-name", name, "--image-ids", "imageTag=v1")
    assert gone == {"imageIds": [{"imageDigest": image.digest, "imageTag": "v1"}], "failures": []}


def test_caller_identity(server: Server, cli: CommandLine) -> None:
    identity = cli.json(server, "sts", "get-caller-identity")
    assert identity == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}


def test_wrong_secret(server: Server, cli: CommandLine) -> None:
    out = cli.run(server, "ecr", "describe-repositories", status=-1, AWS_SECRET_ACCESS_KEY="wrong")
    assert "InvalidSignatureException" in out.stderr
    out = cli.run(server, "sts", "get-caller-identity", status=-1, AWS_SECRET_ACCESS_KEY="wrong")
    assert "SignatureDoesNotMatch" in out.stderr


def test_unknown_key(server: Server, cli: CommandLine) -> None:
    out = cli.run(server, "ecr", "describe-repositories", status=-1, AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN00")
    assert "UnrecognizedClientException" in out.stderr
    out = cli.run(server, "sts", "get-caller-identity", status=-1, AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN00")
    assert "InvalidClientTokenId" in out.stderr


# A user who exported AWS_ENDPOINT_URL sends every service here; the answer must tell why it fails.
OTHER_SERVICES = [
    ("s3", ("s3", "ls")),
    ("s3", ("s3", "cp", "/etc/hostname", "s3://bucket/key")),
    ("s3", ("s3api", "list-objects-v2", "--bucket", "some-bucket")),
    ("dynamodb", ("dynamodb", "list-tables")),
    ("ec2", ("ec2", "describe-instances")),
    ("lambda", ("lambda", "list-functions")),
    ("sns", ("sns", "list-topics")),
]


@pytest.mark.parametrize("service,words", OTHER_SERVICES, ids=["-".join(row[1][:2]) for row in OTHER_SERVICES])
def test_another_service(server: Server, cli: CommandLine, service: str, words: tuple[str, ...]) -> None:
    # Retries would only repeat the answer.
    out = cli.run(server, *words, status=-1, AWS_MAX_ATTEMPTS="1")
    assert f"Tonnage does not serve {service}; AWS_ENDPOINT_URL points here" in out.stderr, str(out)


def test_an_operation_that_is_not_built(server: Server, cli: CommandLine) -> None:
    out = cli.run(server, "sts", "get-access-key-info", "--access-key-id", "AKIAIOSFODNN7EXAMPLE", status=-1)
    assert "GetAccessKeyInfo" in out.stderr


def test_another_region_is_another_registry(server: Server, cli: CommandLine, repository: str) -> None:
    names = ("--repository-names", repository)
    out = cli.run(server, "ecr", "describe-repositories", *names, "--region", "eu-central-1", status=-1)
    assert "RepositoryNotFoundException" in out.stderr
    described = cli.run(server, "ecr", "describe-repositories", *names, "--region", REGION, "--output", "json").stdout
    assert json.loads(described)["repositories"][0]["repositoryName"] == repository
