"""Replication between two deployments, each a process of its own: who copies what, while one of them comes and goes."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.http import INDEX_TYPE, Registry, digest_of, image_index, small_image
from harness.server import ACCOUNT, REGION, Server, free_port
from harness.tools import wait_until

WEST = "eu-west-1"
PATIENCE = 120

ACTIONS = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:CreateRepository",
    "ecr:BatchDeleteImage",
    "ecr:DescribeImages",
    "ecr:PutLifecyclePolicy",
    "ecr:TagResource",
]


class Peer(Server):
    """A deployment that copies to another one on this machine."""

    peer: tuple[str, int] = ("", 0)

    def command(self) -> list[str]:
        region, port = self.peer
        return [
            *super().command(),
            *("--outbound-network", "127.0.0.0/8"),
            *("--replication-peer", f"{region}=http://127.0.0.1:{port}"),
        ]


class Both:
    """Two deployments that copy to each other."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self.east = Peer(binary, directory / "east")
        self.west = Peer(binary, directory / "west", region=WEST)
        while self.west.port == self.east.port:
            self.west.port = free_port()
        self.east.peer, self.west.peer = (WEST, self.west.port), (REGION, self.east.port)

    def start(self) -> None:
        """Starts both and lets each copy everything to the other."""
        self.east.start()
        self.west.start()
        for here, there in [(self.east, self.west), (self.west, self.east)]:
            self.let_in(here, there)
            aws.client(here).put_replication_configuration(replicationConfiguration={"rules": [self.rule(there)]})

    @staticmethod
    def rule(there: Peer) -> dict[str, Any]:
        """Everything, with deletions."""
        destinations = [{"region": there.region, "registryId": ACCOUNT}]
        return {"destinations": destinations, "deleteReplication": {"enabled": True}}

    @staticmethod
    def let_in(here: Peer, there: Peer) -> None:
        """Gives the one a key of the other."""
        iam, name = aws.client(there, "iam", region_name=there.region), f"from-{here.region}"
        iam.create_user(UserName=name, Path="/replication/")
        statement = {"Effect": "Allow", "Action": ACTIONS, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="replication", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        value = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
        secrets = aws.client(here, "secretsmanager")
        secrets.create_secret(Name=f"ecr-replication/{there.region}", SecretString=json.dumps(value))

    def close(self) -> None:
        """Ends both."""
        self.east.close()
        self.west.close()


@pytest.fixture(scope="module")
def both(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Two deployments that copy to each other."""
    running = Both(binary, tmp_path_factory.mktemp("peers"))
    try:
        running.start()
        yield running
    finally:
        running.close()


def images(server: Server, name: str) -> dict[str, list[str]]:
    """Digests and tags of a repository; nothing where it is not there."""
    ecr = aws.client(server)
    try:
        pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
        details = [detail for page in pages for detail in page["imageDetails"]]
    except ecr.exceptions.RepositoryNotFoundException:
        return {}
    return {detail["imageDigest"]: sorted(detail.get("imageTags", [])) for detail in details}


def equal(both: Both, name: str) -> None:
    """Waits until the two have the same, and reads all of it at both."""
    wait_until(lambda: images(both.east, name) == images(both.west, name) != {}, PATIENCE, f"{name} is the same")
    for server in (both.east, both.west):
        docker = aws.registry(server, aws.client(server))
        for digest in images(server, name):
            manifest = docker.get_manifest(name, digest).expect(200)
            assert digest_of(manifest.body) == digest
            document = manifest.json()
            for blob in [*document.get("layers", []), *([document["config"]] if "config" in document else [])]:
                assert digest_of(docker.get_blob(name, blob["digest"]).expect(200).body) == blob["digest"]


def test_images_settings_and_deletions_arrive(both: Both) -> None:
    name = aws.unique_name("app")
    ecr = aws.client(both.east)
    both.east.subcommand(
        "replication", "refine", WEST, "--setting", "lifecycle-policy", "--setting", "resource-tags",
        "--data-dir", str(both.east.data),
    )
    ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "a"}])
    policy = json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "imageCountMoreThan",
                        "countNumber": 900,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
    )
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy)
    docker = aws.registry(both.east, ecr)
    children = [docker.push_small_image(name, "", f"{name} {number}", layers=2, layer_bytes=300_000) for number in (1, 2)]
    index = image_index(*children)
    docker.push_manifest(name, "all", index, INDEX_TYPE).expect(201)
    docker.push_small_image(name, "v1", f"{name} v1")
    equal(both, name)
    told = ecr.describe_image_replication_status(repositoryName=name, imageId={"imageTag": "v1"})
    assert [status["status"] for status in told["replicationStatuses"]] == ["COMPLETE"]
    west = aws.client(both.west)
    policy = ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]

    def has_settings() -> bool:
        try:
            return bool(west.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == policy)
        except west.exceptions.LifecyclePolicyNotFoundException:
            return False

    wait_until(has_settings, PATIENCE, "the lifecycle policy arrives")
    arn = west.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
    tags = {"Key": "team", "Value": "a"}
    wait_until(lambda: west.list_tags_for_resource(resourceArn=arn)["tags"] == [tags], PATIENCE, "the tags arrive")
    deleted = ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert not deleted["failures"]
    equal(both, name)


def test_the_other_side_says_what_copies_are_kept_in(both: Both) -> None:
    name = aws.unique_name("shaped/app")
    west = aws.client(both.west)
    west.create_repository_creation_template(
        prefix="shaped", appliedFor=["REPLICATION"], imageTagMutability="IMMUTABLE"
    )
    ecr = aws.client(both.east)
    ecr.create_repository(repositoryName=name)
    aws.registry(both.east, ecr).push_small_image(name, "v1", name)
    equal(both, name)
    mutability = {
        server.region: aws.client(server).describe_repositories(repositoryNames=[name])["repositories"][0]
        for server in (both.east, both.west)
    }
    assert {region: made["imageTagMutability"] for region, made in mutability.items()} == {
        REGION: "MUTABLE",
        WEST: "IMMUTABLE",
    }
    plain = west.create_repository(repositoryName=aws.unique_name("shaped/own"))["repository"]
    assert plain["imageTagMutability"] == "MUTABLE", "only copies take that template"


def test_a_key_that_is_not_let_in_is_told(both: Both) -> None:
    name = aws.unique_name("refused")
    iam = aws.client(both.west, "iam")
    user, policy = f"from-{REGION}", "closed"
    deny = {"Effect": "Deny", "Action": "ecr:*", "Resource": f"arn:aws:ecr:*:*:repository/{name}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_user_policy(UserName=user, PolicyName=policy, PolicyDocument=document)
    ecr = aws.client(both.east)
    ecr.create_repository(repositoryName=name)
    aws.registry(both.east, ecr).push_small_image(name, "v1", name)

    def told() -> list[tuple[str, str | None]]:
        status = ecr.describe_image_replication_status(repositoryName=name, imageId={"imageTag": "v1"})
        return [(copy["status"], copy.get("failureCode")) for copy in status["replicationStatuses"]]

    wait_until(lambda: told() == [("FAILED", "AccessDenied")], PATIENCE, "the refusal is told")
    iam.delete_user_policy(UserName=user, PolicyName=policy)
    both.east.subcommand("replication", "retry", "--repository", name, "--data-dir", str(both.east.data))
    equal(both, name)


def test_a_storm_of_pushes_arrives_though_the_peer_comes_and_goes(both: Both) -> None:
    names = [aws.unique_name("storm") for _ in range(3)]
    ecr = aws.client(both.east)
    for name in names:
        ecr.create_repository(repositoryName=name)
    password = aws.registry_password(ecr)
    failures: list[BaseException] = []

    def push(name: str) -> None:
        docker = Registry(both.east.host, password)
        try:
            for number in range(12):
                image = small_image(f"{name} {number}", 2, 100_000)
                for blob in image.blobs:
                    docker.push_blob(name, blob).expect(201)
                for tag in ("latest", f"v{number}"):
                    docker.push_manifest(name, tag, image.manifest).expect(201)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    pushers = [threading.Thread(target=push, args=(name,)) for name in names]
    for pusher in pushers:
        pusher.start()
    for _ in range(2):
        both.west.kill()
        both.west.start()
    both.west.restart()
    for pusher in pushers:
        pusher.join()
    assert not failures, failures
    for name in names:
        equal(both, name)
        newest = small_image(f"{name} 11", 2, 100_000).digest
        assert "latest" in images(both.west, name)[newest]
