"""boto3: lifecycle policies, their previews, and the images that go; `tonnage jobs`."""

from __future__ import annotations

import datetime
import json
from typing import Any

from harness import aws
from harness.aws import failure
from harness.http import INDEX_TYPE, Registry, image_index
from harness.server import ACCOUNT, Server
from harness.tools import wait_until


def policy(*selections: dict[str, Any]) -> str:
    """A policy as people write it, with white space and the last rule first."""
    rules = [
        {
            "rulePriority": priority,
            "description": f"rule {priority}",
            "selection": selection,
            "action": {"type": "expire"},
        }
        for priority, selection in enumerate(selections, 1)
    ]
    return json.dumps({"rules": rules[::-1]}, indent=4)


def keep(count: int, **selection: Any) -> dict[str, Any]:
    return {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count, **selection}


def push(registry: Registry, repository: str, *tags: str) -> list[str]:
    """Different images, one after the other; their digests."""
    digests = []
    for tag in tags:
        digests.append(registry.push_small_image(repository, tag, f"{repository}:{tag}").digest)
    return digests


def tags_of(ecr: Any, repository: str) -> set[str]:
    pages = ecr.get_paginator("list_images").paginate(repositoryName=repository)
    return {image.get("imageTag", "") for page in pages for image in page["imageIds"]}


def wait_for_tags(ecr: Any, repository: str, tags: set[str]) -> None:
    wait_until(lambda: tags_of(ecr, repository) == tags, 60, f"only {sorted(tags)} are left")


def test_a_policy_is_put_shown_and_deleted(ecr: Any, repository: str) -> None:
    text = policy(keep(3, tagStatus="tagged", tagPatternList=["rel-*"]), keep(100))
    put = ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    assert (put["registryId"], put["repositoryName"]) == (ACCOUNT, repository)
    shown = ecr.get_lifecycle_policy(repositoryName=repository)
    by_priority = {"rules": json.loads(text)["rules"][::-1]}
    for answer in (put, shown):
        minified = answer["lifecyclePolicyText"]
        assert json.loads(minified) == by_priority
        assert minified == json.dumps(json.loads(minified), separators=(",", ":"))

    def was_evaluated() -> bool:
        at = ecr.get_lifecycle_policy(repositoryName=repository)["lastEvaluatedAt"]
        return bool(at > datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5))

    wait_until(was_evaluated, 60, "the policy is carried out")
    deleted = ecr.delete_lifecycle_policy(repositoryName=repository)
    assert deleted["lifecyclePolicyText"] == put["lifecyclePolicyText"]
    for operation in (ecr.get_lifecycle_policy, ecr.delete_lifecycle_policy, ecr.start_lifecycle_policy_preview):
        failed = failure(operation, repositoryName=repository)
        assert failed.code == "LifecyclePolicyNotFoundException"
        assert failed.message == (
            f"Lifecycle policy does not exist for the repository with name '{repository}' "
            f"in the registry with id '{ACCOUNT}'"
        )


def test_mistakes_are_named(ecr: Any, repository: str) -> None:
    failed = failure(
        ecr.put_lifecycle_policy,
        repositoryName=repository,
        lifecyclePolicyText=policy({"tagStatus": "tagged", "countType": "imageCountMoreThan", "countNumber": 1}),
    )
    assert failed.code == "InvalidParameterException"
    assert failed.message == (
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation "
        "failure: Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.\n'"
    )


def test_a_preview_with_its_waiter(ecr: Any, registry: Registry, repository: str) -> None:
    digests = push(registry, repository, "a", "b", "c", "d")
    failed = failure(ecr.get_lifecycle_policy_preview, repositoryName=repository)
    assert failed.code == "LifecyclePolicyPreviewNotFoundException"
    text = policy(keep(1))
    started = ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)
    assert (started["lifecyclePolicyText"], started["status"]) == (text, "IN_PROGRESS")
    waiter = ecr.get_waiter("lifecycle_policy_preview_complete")
    waiter.wait(repositoryName=repository, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    pages = ecr.get_paginator("get_lifecycle_policy_preview").paginate(
        repositoryName=repository, PaginationConfig={"PageSize": 2}
    )
    found = []
    for page in pages:
        assert page["summary"] == {"expiringImageTotalCount": 3}
        found += page["previewResults"]
    assert [result["imageDigest"] for result in found] == digests[:3]
    assert found[0].pop("imagePushedAt") <= found[1]["imagePushedAt"]
    assert found[0] == {
        "imageTags": ["a"],
        "imageDigest": digests[0],
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": 1,
        "storageClass": "STANDARD",
    }
    named = ecr.get_lifecycle_policy_preview(
        repositoryName=repository, imageIds=[{"imageTag": "b"}, {"imageDigest": digests[3]}]
    )
    assert [result["imageDigest"] for result in named["previewResults"]] == [digests[1]]
    assert tags_of(ecr, repository) == {"a", "b", "c", "d"}


def test_images_go_and_those_of_a_higher_rule_stay(ecr: Any, registry: Registry, repository: str) -> None:
    push(registry, repository, "rel-1", "dev-1", "dev-2", "rel-2", "dev-3")
    text = policy(keep(9, tagStatus="tagged", tagPrefixList=["rel-"]), keep(2))
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    wait_for_tags(ecr, repository, {"rel-1", "rel-2", "dev-3"})
    failed = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "dev-1"}])
    assert failed["failures"][0]["failureCode"] == "ImageNotFound"
    # What is pushed later goes too, when the policy is put again or its daily turn comes.
    push(registry, repository, "dev-4", "dev-5")
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    wait_for_tags(ecr, repository, {"rel-1", "rel-2", "dev-4", "dev-5"})


def test_children_of_an_index_stay(ecr: Any, registry: Registry, repository: str) -> None:
    children = [registry.push_small_image(repository, "", f"{repository}/{number}") for number in range(2)]
    registry.push_manifest(repository, "multi", image_index(*children), INDEX_TYPE).expect(201)
    push(registry, repository, "old", "new")
    untagged = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}
    text = policy(untagged, keep(2, tagStatus="tagged", tagPatternList=["*"]))
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    # The index is the oldest of three tagged images. Its children are free then, and stay until the next run.
    wait_for_tags(ecr, repository, {"", "old", "new"})

    def left() -> set[str]:
        return {image["imageDigest"] for image in ecr.list_images(repositoryName=repository)["imageIds"]}

    assert {child.digest for child in children} <= left()
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    wait_until(lambda: len(left()) == 3, 60, "one child is left")


def test_a_policy_survives_a_restart_and_a_kill(own_server: Server) -> None:
    ecr = aws.client(own_server)
    registry = aws.registry(own_server, ecr)
    name = "restarted"
    ecr.create_repository(repositoryName=name)
    push(registry, name, *(f"v{number}" for number in range(12)))
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy(keep(2)))
    own_server.kill()
    own_server.start()
    # A job that the killed server had begun is taken over when its lease of a minute ends.
    wait_until(lambda: tags_of(ecr, name) == {"v10", "v11"}, 120, "two images are left")
    listed = own_server.subcommand("jobs", "list", "--data-dir", str(own_server.data), "--kind", "expire-images")
    line = listed.stdout.splitlines()[1].split()
    wait_until(
        lambda: "DONE" in own_server.subcommand("jobs", "show", line[0], "--data-dir", str(own_server.data)).stdout,
        60,
        "the job is done",
    )
    failed = own_server.subcommand("jobs", "cancel", line[0], "--data-dir", str(own_server.data), status=1)
    assert "has ended" in failed.stderr
    failed = own_server.subcommand("jobs", "show", "1", "--data-dir", str(own_server.data), status=1)
    assert "There is no job 1." in failed.stderr
    own_server.restart()
    assert tags_of(ecr, name) == {"v10", "v11"}
