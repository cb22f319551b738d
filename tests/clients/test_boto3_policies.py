"""boto3: policies of repositories and of the registry, between accounts, limits, and endpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.accounts import AWAY, Two, tonnage
from harness.aws import failure
from harness.http import Registry
from harness.server import ACCOUNT, REGION, Server, free_port

@pytest.fixture(scope="module")
def two(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two accounts on a server of their own."""
    server = Server(binary, tmp_path_factory.mktemp("two")).start()
    yield Two(server)
    server.close()


def policy(*statements: dict[str, Any]) -> str:
    """A policy as people write it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


def test_text_comes_back_byte_for_byte(two: Two) -> None:
    name = aws.unique_name()
    two.home.create_repository(repositoryName=name)
    text = '{"Statement" :\t[ {"Action":["ecr:Batch\\u002a"],\r\n "Principal":"*" , "Effect":"Deny"} ]}\n '
    stored = two.home.set_repository_policy(repositoryName=name, policyText=text, force=True)
    expected = {"registryId": ACCOUNT, "repositoryName": name, "policyText": text}
    for answer in (stored, two.home.get_repository_policy(repositoryName=name)):
        answer.pop("ResponseMetadata")
        assert answer == expected
    deleted = two.home.delete_repository_policy(repositoryName=name)
    assert deleted["policyText"] == text
    for action in (two.home.get_repository_policy, two.home.delete_repository_policy):
        failed = failure(action, repositoryName=name)
        assert (failed.code, failed.status) == ("RepositoryPolicyNotFoundException", 400)
        assert failed.message == (
            f"Repository policy does not exist for the repository with name '{name}' "
            f"in the registry with id '{ACCOUNT}'"
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "$: not JSON"),
        ("{}", "$: Statement is required"),
        (policy({"Effect": "Allow", "Principal": "*", "Action": "s3:Get*"}), "s3:Get* is no action of ecr"),
        (
            policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/late"}, "Action": "ecr:*"}),
            f"Principal not found: arn:aws:iam::{ACCOUNT}:role/late",
        ),
    ],
)
def test_bad_texts(two: Two, text: str, reason: str) -> None:
    name = aws.unique_name()
    two.home.create_repository(repositoryName=name)
    failed = failure(two.home.set_repository_policy, repositoryName=name, policyText=text)
    assert failed.code == "InvalidParameterException"
    # What Terraform looks for while it waits for a new role.
    words = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided"
    assert failed.message.startswith(words) and reason in failed.message, failed.message
    failed = failure(two.home.put_registry_policy, policyText=text)
    assert failed.code == "InvalidParameterException"
    assert "Invalid registry policy provided" in failed.message and reason in failed.message


def test_too_long(two: Two) -> None:
    name = aws.unique_name()
    two.home.create_repository(repositoryName=name)
    text = policy({"Effect": "Allow", "Principal": "*", "Action": "ecr:*"}) + " " * 10_240
    failed = failure(two.home.set_repository_policy, repositoryName=name, policyText=text)
    assert failed.code == "InvalidParameterException"


def test_lock_out_needs_force(two: Two) -> None:
    name = aws.unique_name()
    two.home.create_repository(repositoryName=name)
    text = policy({"Effect": "Deny", "Principal": "*", "Action": "ecr:SetRepositoryPolicy"})
    failed = failure(two.home.set_repository_policy, repositoryName=name, policyText=text)
    assert failed.code == "InvalidParameterException" and "force" in failed.message
    two.home.set_repository_policy(repositoryName=name, policyText=text, force=True)
    failed = failure(two.home.set_repository_policy, repositoryName=name, policyText=text, force=True)
    assert failed.code == "AccessDeniedException"
    two.home.delete_repository_policy(repositoryName=name)


def test_another_account_pulls_when_both_sides_allow(two: Two) -> None:
    name = aws.unique_name("team/shared")
    two.home.create_repository(repositoryName=name)
    image = aws.registry(two.server, two.home).push_small_image(name, "v1", "shared")
    missing = f"{name}-missing"

    def denied(repository: str) -> str:
        return (
            f"User: arn:aws:iam::{AWAY}:root is not authorized to perform: ecr:BatchGetImage on resource: "
            f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository} "
            "because no resource-based policy allows the ecr:BatchGetImage action"
        )

    registry = two.registry_of_away()
    # What is there and what is not look the same.
    for repository in (name, missing):
        registry.get_manifest(repository, "v1").expect_error(403, "DENIED", denied(repository))
        failed = failure(
            two.away.batch_get_image, registryId=ACCOUNT, repositoryName=repository, imageIds=[{"imageTag": "v1"}]
        )
        assert (failed.code, failed.message) == ("AccessDeniedException", denied(repository))
    allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{AWAY}:root"}, "Action": PULL}
    two.home.set_repository_policy(repositoryName=name, policyText=policy(allow))
    # The same token; the policy is asked for every request.
    assert registry.get_manifest(name, "v1").expect(200).body == image.manifest
    for blob in image.blobs:
        assert registry.get_blob(name, aws_digest(blob)).expect(200).body == blob
    found = two.away.batch_get_image(registryId=ACCOUNT, repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert found["images"][0]["imageManifest"].encode() == image.manifest
    # Nothing else than what it says.
    registry.send("POST", f"/v2/{name}/blobs/uploads/").expect_error(403, "DENIED")
    registry.send("GET", f"/v2/{name}/tags/list").expect_error(403, "DENIED")
    # The other account's own limit is asked too.
    limit = two.server.directory / "limit.json"
    limit.write_text(policy({"Effect": "Allow", "NotAction": "ecr:BatchGetImage", "Resource": "*"}))
    tonnage(two.server, "account", "limit", "put", AWAY, str(limit))
    words = ["policy", "explain", "--principal", f"arn:aws:iam::{AWAY}:root", "--action", "ecr:BatchGetImage"]
    words += ["--resource", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"]
    registry.get_manifest(name, "v1").expect_error(403, "DENIED")
    assert "no service control policy allows it" in tonnage(two.server, *words, status=1)
    tonnage(two.server, "account", "limit", "delete", AWAY)
    registry.get_manifest(name, "v1").expect(200)
    assert 'allowed by resource-based policy "repository policy"' in tonnage(two.server, *words)
    two.home.delete_repository_policy(repositoryName=name)
    registry.get_manifest(name, "v1").expect_error(403, "DENIED", denied(name))


def aws_digest(content: bytes) -> str:
    """As the registry names a blob."""
    from harness.http import digest_of

    return digest_of(content)


def test_registry_policy_for_devops_alone(two: Two) -> None:
    home = two.home
    failed = failure(home.get_registry_policy)
    assert failed.code == "RegistryPolicyNotFoundException"
    assert failed.message == f"Registry policy does not exist in the registry with id '{ACCOUNT}'"
    text = policy(
        {
            "Sid": "OnlyDevops",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["ecr:CreateRepository", "ecr:DeleteRepository"],
            "Resource": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*",
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/devops"}},
        }
    )
    name = aws.unique_name()
    home.create_repository(repositoryName=name)
    stored = home.put_registry_policy(policyText=text)
    assert (stored["registryId"], stored["policyText"]) == (ACCOUNT, text)
    try:
        assert home.get_registry_policy()["policyText"] == text
        for action in (home.create_repository, home.delete_repository):
            failed = failure(action, repositoryName=name)
            assert failed.code == "AccessDeniedException"
            told = 'with an explicit deny in a resource-based policy (statement "OnlyDevops")'
            assert failed.message.endswith(told), failed.message
        aws.registry(two.server, home).push_small_image(name, "v1", "devops")
        # Another region is another registry.
        aws.client(two.server, region_name="eu-west-1").create_repository(repositoryName=name)
    finally:
        assert home.delete_registry_policy()["policyText"] == text
    home.delete_repository(repositoryName=name, force=True)


def test_tags_of_images_are_permissions(two: Two) -> None:
    name = aws.unique_name()
    two.home.create_repository(repositoryName=name)
    own = aws.registry(two.server, two.home)
    for tag in ("v1", "dev-1"):
        own.push_small_image(name, tag, tag)
    condition = {"StringLike": {"tonnage:ImageTag": "v*"}}
    allow = {"Effect": "Allow", "Principal": {"AWS": AWAY}, "Action": "ecr:BatchGetImage", "Condition": condition}
    keep = {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchDeleteImage", "Condition": condition}
    two.home.set_repository_policy(repositoryName=name, policyText=policy(allow, keep))
    registry = two.registry_of_away()
    registry.get_manifest(name, "v1").expect(200)
    registry.get_manifest(name, "dev-1").expect_error(403, "DENIED")
    digest = two.home.describe_images(repositoryName=name, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]["imageDigest"]
    for image in ({"imageTag": "v1"}, {"imageDigest": digest}):
        failed = failure(two.home.batch_delete_image, repositoryName=name, imageIds=[image])
        assert failed.code == "AccessDeniedException"
    deleted = two.home.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "dev-1"}])
    assert [image["imageTag"] for image in deleted["imageIds"]] == ["dev-1"]


class WithEndpoint(Server):
    """A server with a second listener that is an endpoint."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.endpoint = f"127.0.0.1:{free_port()}"

    def command(self) -> list[str]:
        words = ["--listen", self.endpoint, "--endpoint", f"vpce-build/vpc-office={self.endpoint}"]
        return super().command() + words


def test_only_through_an_endpoint(binary: Path, tmp_path: Path) -> None:
    server = WithEndpoint(binary, tmp_path / "server")
    server.start()
    try:
        ecr = aws.client(server)
        inside = aws.client(server, url=f"http://{server.endpoint}")
        ecr.create_repository(repositoryName="app")
        for key, value in (("aws:SourceVpce", "vpce-build"), ("aws:SourceVpc", "vpc-office")):
            deny = {"Effect": "Deny", "Principal": "*", "Action": "ecr:ListImages"}
            deny["Condition"] = {"StringNotEquals": {key: value}}
            ecr.set_repository_policy(repositoryName="app", policyText=policy(deny))
            assert failure(ecr.list_images, repositoryName="app").code == "AccessDeniedException"
            assert inside.list_images(repositoryName="app")["imageIds"] == []
    finally:
        server.close()
