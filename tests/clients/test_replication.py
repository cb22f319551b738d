"""Replication between regions and accounts of one server: boto3 configures it, docker's protocol pulls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.accounts import AWAY, Two, tonnage
from harness.aws import failure
from harness.http import INDEX_TYPE, Registry, digest_of, image_index, small_image
from harness.server import ACCOUNT, REGION, Server
from harness.tools import wait_until

WEST = "eu-west-1"
PATIENCE = 60


@pytest.fixture(scope="module")
def two(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two accounts on a server of their own."""
    server = Server(binary, tmp_path_factory.mktemp("replication")).start()
    yield Two(server)
    server.close()


def rules(two: Two, *destinations: tuple[str, str], prefix: str, **more: Any) -> None:
    """One rule for the repositories of a test."""
    rule = {
        "destinations": [{"region": region, "registryId": account} for region, account in destinations],
        "repositoryFilters": [{"filter": prefix, "filterType": "PREFIX_MATCH"}],
        **more,
    }
    two.home.put_replication_configuration(replicationConfiguration={"rules": [rule]})


def statuses(two: Two, name: str, tag: str) -> dict[str, tuple[str, str | None]]:
    """What is told of an image's copies, by account."""
    told = two.home.describe_image_replication_status(repositoryName=name, imageId={"imageTag": tag})
    assert told["repositoryName"] == name and told["imageId"] == {"imageTag": tag}
    return {copy["registryId"]: (copy["status"], copy.get("failureCode")) for copy in told["replicationStatuses"]}


def settled(two: Two, name: str, tag: str) -> dict[str, tuple[str, str | None]]:
    """The same, once nothing is in progress."""
    wait_until(
        lambda: all(status != "IN_PROGRESS" for status, _ in statuses(two, name, tag).values()),
        PATIENCE,
        f"{name}:{tag} is replicated",
    )
    return statuses(two, name, tag)


def west(two: Two) -> Registry:
    """The own registry in the other region, by docker's protocol."""
    password = aws.registry_password(aws.client(two.server, region_name=WEST))
    return Registry(two.server.host, password)


def test_a_push_arrives_in_another_region(two: Two) -> None:
    name = aws.unique_name("west/app")
    two.home.create_repository(repositoryName=name)
    rules(two, (WEST, ACCOUNT), prefix="west/")
    image = aws.registry(two.server, two.home).push_small_image(name, "v1", name, layers=3)
    assert settled(two, name, "v1") == {ACCOUNT: ("COMPLETE", None)}
    copy = west(two)
    pulled = copy.get_manifest(name, "v1").expect(200)
    assert pulled.body == image.manifest and pulled.headers["Docker-Content-Digest"] == image.digest
    for blob in image.blobs:
        assert copy.get_blob(name, digest_of(blob)).expect(200).body == blob
    described = aws.client(two.server, region_name=WEST).describe_images(repositoryName=name)["imageDetails"]
    assert [detail["imageDigest"] for detail in described] == [image.digest]


def test_another_account_decides(two: Two) -> None:
    name = aws.unique_name("shared/app")
    two.home.create_repository(repositoryName=name)
    rules(two, (REGION, AWAY), prefix="shared/")
    docker = aws.registry(two.server, two.home)
    docker.push_small_image(name, "refused", "refused")
    assert settled(two, name, "refused") == {AWAY: ("FAILED", "AccessDenied")}
    assert failure(two.away.describe_images, repositoryName=name).code == "RepositoryNotFoundException"
    allow = {
        "Sid": "replication",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
        "Resource": f"arn:aws:ecr:{REGION}:{AWAY}:repository/*",
    }
    two.away.put_registry_policy(policyText=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    children = [small_image(f"child {number}", layer_bytes=300_000) for number in range(2)]
    for child in children:
        for blob in child.blobs:
            docker.push_blob(name, blob).expect(201)
        docker.push_manifest(name, child.digest, child.manifest).expect(201)
    index = image_index(*children)
    docker.push_manifest(name, "all", index, INDEX_TYPE).expect(201)
    assert settled(two, name, "all") == {AWAY: ("COMPLETE", None)}
    ids = [{"imageTag": "all"}, *({"imageDigest": child.digest} for child in children)]
    found = two.away.batch_get_image(repositoryName=name, imageIds=ids)
    assert not found["failures"]
    assert {image["imageManifest"].encode() for image in found["images"]} == {
        index,
        *(child.manifest for child in children),
    }
    password = aws.registry_password(two.away)
    for child in children:
        for blob in child.blobs:
            assert Registry(two.server.host, password).get_blob(name, digest_of(blob)).expect(200).body == blob


def test_deletions_and_backfills(two: Two) -> None:
    name = aws.unique_name("old/app")
    two.home.create_repository(repositoryName=name)
    docker = aws.registry(two.server, two.home)
    docker.push_small_image(name, "v1", "one")
    docker.push_small_image(name, "v2", "two")
    rules(two, (WEST, ACCOUNT), prefix="old/", deleteReplication={"enabled": True})
    assert statuses(two, name, "v1") == {}
    destination = {"region": WEST, "registryId": ACCOUNT}
    started = two.home.start_replication_backfill(destination=destination)
    assert started["status"] == "PREPARING" and started["destination"] == destination
    backfill = started["replicationBackfillId"]
    describe = two.home.describe_replication_backfill_results
    wait_until(lambda: describe(replicationBackfillId=backfill)["status"] == "COMPLETE", PATIENCE, "the backfill ends")
    ended = describe(replicationBackfillId=backfill)
    assert ended["progress"] == {
        "totalReplicationCount": 2,
        "completedReplicationCount": 2,
        "failedReplicationCount": 0,
        "failureCodes": [],
    }
    tags = {result["imageId"]["imageTag"] for result in ended["results"]}
    assert tags == {"v1", "v2"} and {result["status"] for result in ended["results"]} == {"COMPLETE"}
    listed = two.home.list_replication_backfills()["backfills"]
    assert backfill in {found["replicationBackfillId"] for found in listed}
    there = aws.client(two.server, region_name=WEST)

    def tags_there() -> set[str]:
        listed = there.list_images(repositoryName=name)["imageIds"]
        return {image["imageTag"] for image in listed}

    assert tags_there() == {"v1", "v2"}
    two.home.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    wait_until(lambda: tags_there() == {"v2"}, PATIENCE, "the deletion arrives")


def test_copies_survive_a_restart_in_the_middle(two: Two) -> None:
    name = aws.unique_name("storm/app")
    two.home.create_repository(repositoryName=name)
    rules(two, (WEST, ACCOUNT), (REGION, AWAY), prefix="storm/")
    docker = aws.registry(two.server, two.home)
    images = {f"v{number}": docker.push_small_image(name, f"v{number}", f"{name} {number}") for number in range(30)}
    two.server.kill()
    two.server.start()
    for tag in images:
        assert settled(two, name, tag)[ACCOUNT] == ("COMPLETE", None)
    copy = west(two)
    for tag, image in images.items():
        assert copy.get_manifest(name, tag).expect(200).body == image.manifest


def test_the_command_line_refines_tells_and_retries(two: Two) -> None:
    name = aws.unique_name("cli/app")
    renamed = name.replace("cli/app", "cli/api")
    two.home.create_repository(repositoryName=name)
    rules(two, (WEST, ACCOUNT), prefix="cli/")
    shown = tonnage(
        two.server, "replication", "refine", WEST, "--tag", "v*", "--tag", "!*-rc", "--setting", "resource-tags"
    )
    assert f"{ACCOUNT}/{WEST}" in shown and "v* !*-rc" in shown and "resource-tags" in shown
    assert tonnage(two.server, "replication", "show") == shown
    tonnage(two.server, "replication", "refine", "eu-west-3", "--tag", "v*", status=1)
    docker = aws.registry(two.server, two.home)
    docker.push_small_image(name, "v1-rc", "rc")
    docker.push_small_image(name, "v1", "release")
    arn = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"
    two.home.tag_resource(resourceArn=arn, tags=[{"Key": "env", "Value": "prod"}])
    assert settled(two, name, "v1") == {ACCOUNT: ("COMPLETE", None)}
    assert statuses(two, name, "v1-rc") == {}
    there = aws.client(two.server, region_name=WEST)
    assert [image["imageTag"] for image in there.list_images(repositoryName=name)["imageIds"]] == ["v1"]
    copy_arn = arn.replace(REGION, WEST)

    def tags_there() -> list[dict[str, str]]:
        return there.list_tags_for_resource(resourceArn=copy_arn)["tags"]

    wait_until(lambda: tags_there() == [{"Key": "env", "Value": "prod"}], PATIENCE, "the resource tag arrives")
    told = tonnage(two.server, "replication", "status")
    assert f"{ACCOUNT}/{WEST}" in told
    told = tonnage(two.server, "replication", "status", "--repository", name)
    assert "COMPLETE" in told and "v1" in told and "resource-tags" in told
    assert "0 copies of images, 0 settings" in tonnage(two.server, "replication", "retry", "--repository", name)
    said = tonnage(two.server, "repository", "rename", name, renamed)
    assert said == f"The repository {name} is {renamed} now.\n"
    docker.push_small_image(renamed, "v2", "after")
    assert settled(two, renamed, "v2") == {ACCOUNT: ("COMPLETE", None)}
    assert failure(two.home.describe_images, repositoryName=name).code == "RepositoryNotFoundException"
    tonnage(two.server, "repository", "rename", renamed, renamed, status=1)
    tonnage(two.server, "replication", "refine", WEST)
    assert "v*" not in tonnage(two.server, "replication", "show")
