"""boto3: repositories, their settings and tags, authorization tokens, the caller's identity."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest

from harness import aws
from harness.aws import failure
from harness.http import Registry, small_image
from harness.server import ACCOUNT, REGION, Server


def arn(name: str) -> str:
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def missing(name: str) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"


# --- create


def test_create_answers_with_every_default(server: Server, ecr: Any) -> None:
    name = aws.unique_name("team/service_a/web-1.x")
    before = datetime.datetime.now(datetime.timezone.utc)
    created = ecr.create_repository(repositoryName=name)["repository"]
    after = datetime.datetime.now(datetime.timezone.utc)
    slack = datetime.timedelta(seconds=2)
    assert before - slack <= created.pop("createdAt") <= after + slack
    assert created == {
        "repositoryArn": arn(name),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "repositoryUri": f"{server.host}/{name}",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }


def test_settings_at_creation_are_kept(ecr: Any) -> None:
    name = aws.unique_name()
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        tags=[{"Key": "a", "Value": "1"}, {"Key": "empty", "Value": ""}],
    )
    described = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert described["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert described["imageTagMutabilityExclusionFilters"] == filters
    tags = {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn(name))["tags"]}
    assert tags == {"a": "1", "empty": ""}


def test_create_twice(ecr: Any, repository: str) -> None:
    failed = failure(ecr.create_repository, repositoryName=repository)
    assert (failed.code, failed.status) == ("RepositoryAlreadyExistsException", 400)
    assert (
        failed.message == f"The repository with name '{repository}' already exists in the registry with id '{ACCOUNT}'"
    )


BAD_NAMES = [
    "UPPER",
    "-dash",
    "dash-",
    "a//b",
    "/a",
    "a/",
    "a..b",
    "a___b",
    "sp ace",
    "é1",
    "a:b",
    "a@b",
    "..",
    "a/../b",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_name(ecr: Any, name: str) -> None:
    failed = failure(ecr.create_repository, repositoryName=name)
    assert (failed.code, failed.status) == ("InvalidParameterException", 400)
    assert "Invalid parameter at 'repositoryName' failed to satisfy constraint: " in failed.message


@pytest.mark.parametrize("length,works", [(1, False), (2, True), (256, True), (257, False)])
def test_name_length(server: Server, length: int, works: bool) -> None:
    ecr = aws.client(server, parameter_validation=False)
    name = "n" * length
    if works:
        ecr.create_repository(repositoryName=name)
        ecr.delete_repository(repositoryName=name)
    else:
        assert failure(ecr.create_repository, repositoryName=name).code == "InvalidParameterException"


WILDCARD = {"filterType": "WILDCARD", "filter": "dev-*"}
BAD_MUTABILITY = {
    "unknown value": {"imageTagMutability": "SOMETIMES"},
    "filters missing": {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"},
    "filters unwanted": {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": [WILDCARD]},
    "six filters": {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": f"f{n}"} for n in range(6)],
    },
    "bad character": {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev?"}],
    },
    "long filter": {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "x" * 129}],
    },
}


@pytest.mark.parametrize("name", BAD_MUTABILITY)
def test_bad_mutability(server: Server, repository: str, name: str) -> None:
    ecr = aws.client(server, parameter_validation=False)
    failed = failure(ecr.put_image_tag_mutability, repositoryName=repository, **BAD_MUTABILITY[name])
    assert failed.code == "InvalidParameterException"
    created = failure(ecr.create_repository, repositoryName=aws.unique_name(), **BAD_MUTABILITY[name])
    assert created.code == "InvalidParameterException"


# --- describe


def test_describe_by_name(ecr: Any) -> None:
    names = [aws.unique_name() for _ in range(3)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    described = ecr.describe_repositories(repositoryNames=names)["repositories"]
    assert sorted(entry["repositoryName"] for entry in described) == sorted(names)


def test_describe_fails_whole_on_a_missing_name(ecr: Any, repository: str) -> None:
    failed = failure(ecr.describe_repositories, repositoryNames=[repository, "nowhere", "nowhere-either"])
    assert (failed.code, failed.message) == ("RepositoryNotFoundException", missing("nowhere"))


def test_describe_pages(own_server: Server) -> None:
    ecr = aws.client(own_server)
    expected = [f"page/{number:03}" for number in range(105)]
    for name in expected:
        ecr.create_repository(repositoryName=name)
    paginator = ecr.get_paginator("describe_repositories")
    for size in (1, 7, 100, 1000):
        pages = list(paginator.paginate(PaginationConfig={"PageSize": size}))
        assert all(len(page["repositories"]) <= size for page in pages)
        assert sorted(entry["repositoryName"] for page in pages for entry in page["repositories"]) == expected
    first = ecr.describe_repositories()
    assert len(first["repositories"]) == 100 and first["nextToken"]


BAD_PAGES = {
    "size 0": {"maxResults": 0},
    "size 1001": {"maxResults": 1001},
    "foreign token": {"nextToken": "not-one-of-ours"},
    "names and size": {"repositoryNames": ["any"], "maxResults": 5},
}


@pytest.mark.parametrize("name", BAD_PAGES)
def test_bad_page(server: Server, name: str) -> None:
    ecr = aws.client(server, parameter_validation=False)
    assert failure(ecr.describe_repositories, **BAD_PAGES[name]).code == "InvalidParameterException"


def test_another_account_is_another_registry(ecr: Any, repository: str) -> None:
    failed = failure(ecr.describe_repositories, registryId="210987654321", repositoryNames=[repository])
    assert failed.code in ("RepositoryNotFoundException", "AccessDeniedException")


# --- delete


def test_delete_empty(ecr: Any, repository: str) -> None:
    deleted = ecr.delete_repository(repositoryName=repository)["repository"]
    assert (deleted["repositoryName"], deleted["repositoryArn"]) == (repository, arn(repository))
    assert failure(ecr.delete_repository, repositoryName=repository).message == missing(repository)


def test_delete_needs_force_while_images_are_there(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "", repository)
    failed = failure(ecr.delete_repository, repositoryName=repository)
    assert (failed.code, failed.status) == ("RepositoryNotEmptyException", 400)
    assert failed.message == (
        f"The repository with name '{repository}' in registry with id '{ACCOUNT}' "
        "cannot be deleted because it still contains images"
    )
    registry.get_manifest(repository, image.digest).expect(200)
    ecr.delete_repository(repositoryName=repository, force=True)
    registry.get_manifest(repository, image.digest).expect_error(404, "NAME_UNKNOWN")


def test_a_name_made_again_is_another_repository(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    ecr.delete_repository(repositoryName=repository, force=True)
    ecr.create_repository(repositoryName=repository)
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    registry.get_manifest(repository, "v1").expect_error(404, "MANIFEST_UNKNOWN")
    check = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=["sha256:" + "1" * 64])
    assert check["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    # Bytes of the deleted repository do not count as uploaded to the new one.
    answer = registry.push_manifest(repository, "v1", image.manifest)
    assert answer.errors[0][0] == "MANIFEST_BLOB_UNKNOWN"


NEEDS_REPOSITORY: dict[str, dict[str, Any]] = {
    "batch_check_layer_availability": {"layerDigests": ["sha256:" + "0" * 64]},
    "batch_delete_image": {"imageIds": [{"imageTag": "x"}]},
    "batch_get_image": {"imageIds": [{"imageTag": "x"}]},
    "complete_layer_upload": {
        "uploadId": "8b5c9d04-0000-4000-8000-000000000000",
        "layerDigests": ["sha256:" + "0" * 64],
    },
    "delete_repository": {},
    "describe_images": {},
    "get_download_url_for_layer": {"layerDigest": "sha256:" + "0" * 64},
    "initiate_layer_upload": {},
    "list_images": {},
    "put_image": {"imageManifest": small_image("nowhere").manifest.decode(), "imageTag": "x"},
    "put_image_tag_mutability": {"imageTagMutability": "MUTABLE"},
    "upload_layer_part": {
        "uploadId": "8b5c9d04-0000-4000-8000-000000000000",
        "partFirstByte": 0,
        "partLastByte": 0,
        "layerPartBlob": b"x",
    },
}


@pytest.mark.parametrize("operation", NEEDS_REPOSITORY)
def test_unknown_repository(ecr: Any, operation: str) -> None:
    failed = failure(getattr(ecr, operation), repositoryName="nowhere", **NEEDS_REPOSITORY[operation])
    assert (failed.code, failed.message, failed.status) == ("RepositoryNotFoundException", missing("nowhere"), 400)


# --- tag mutability

MUTABILITY: list[tuple[str, list[str], str, bool]] = [
    # setting, exclusion filters, tag, whether the tag may move
    ("MUTABLE", [], "v1", True),
    ("IMMUTABLE", [], "v1", False),
    ("IMMUTABLE_WITH_EXCLUSION", ["dev-*"], "v1", False),
    ("IMMUTABLE_WITH_EXCLUSION", ["dev-*"], "dev-1", True),
    ("IMMUTABLE_WITH_EXCLUSION", ["dev-*"], "my-dev-1", False),
    ("IMMUTABLE_WITH_EXCLUSION", ["latest", "*-snapshot"], "latest", True),
    ("IMMUTABLE_WITH_EXCLUSION", ["latest", "*-snapshot"], "latest2", False),
    ("IMMUTABLE_WITH_EXCLUSION", ["latest", "*-snapshot"], "1.0-snapshot", True),
    ("IMMUTABLE_WITH_EXCLUSION", ["*"], "anything", True),
    ("MUTABLE_WITH_EXCLUSION", ["v*"], "v1", False),
    ("MUTABLE_WITH_EXCLUSION", ["v*"], "latest", True),
    ("MUTABLE_WITH_EXCLUSION", ["v*.0"], "v1.1", True),
    ("MUTABLE_WITH_EXCLUSION", ["v*.0"], "v1.0", False),
    # A dot is a dot.
    ("MUTABLE_WITH_EXCLUSION", ["v1.0"], "v1x0", True),
]


@pytest.mark.parametrize("setting,filters,tag,moves", MUTABILITY)
def test_mutability(
    ecr: Any, registry: Registry, repository: str, setting: str, filters: list[str], tag: str, moves: bool
) -> None:
    registry.push_small_image(repository, tag, f"{repository}/first")
    second = registry.push_small_image(repository, "", f"{repository}/second")
    settings: dict[str, Any] = {"imageTagMutability": setting}
    if filters:
        settings["imageTagMutabilityExclusionFilters"] = [
            {"filterType": "WILDCARD", "filter": text} for text in filters
        ]
    answer = ecr.put_image_tag_mutability(repositoryName=repository, **settings)
    answer.pop("ResponseMetadata")
    assert answer == {"registryId": ACCOUNT, "repositoryName": repository, **settings}

    move = {"repositoryName": repository, "imageTag": tag, "imageManifest": second.manifest.decode()}
    if moves:
        ecr.put_image(**move)
        assert registry.get_manifest(repository, tag).body == second.manifest
        return
    failed = failure(ecr.put_image, **move)
    assert failed.code == "ImageTagAlreadyExistsException"
    assert failed.message == (
        f"The image tag '{tag}' already exists in the '{repository}' repository "
        "and cannot be overwritten because the tag is immutable."
    )
    # Immutable is not undeletable: the tag may go, and then it is free.
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
    ecr.put_image(**move)


# --- resource tags


def tags_of(ecr: Any, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=arn(name))["tags"]}


def test_resource_tags(ecr: Any, repository: str) -> None:
    assert tags_of(ecr, repository) == {}
    ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr.tag_resource(
        resourceArn=arn(repository), tags=[{"Key": "b", "Value": "3"}, {"Key": "ключ", "Value": "значение"}]
    )
    assert tags_of(ecr, repository) == {"a": "1", "b": "3", "ключ": "значение"}
    ecr.untag_resource(resourceArn=arn(repository), tagKeys=["a", "never-set"])
    assert tags_of(ecr, repository) == {"b": "3", "ключ": "значение"}


BAD_TAGS: list[tuple[str, list[dict[str, str]], tuple[str, ...]]] = [
    (
        "51 tags",
        [{"Key": f"k{n}", "Value": ""} for n in range(51)],
        ("TooManyTagsException", "InvalidParameterException"),
    ),
    ("reserved prefix", [{"Key": "aws:x", "Value": ""}], ("InvalidTagParameterException",)),
    ("long key", [{"Key": "k" * 129, "Value": ""}], ("InvalidTagParameterException", "InvalidParameterException")),
    ("long value", [{"Key": "k", "Value": "v" * 257}], ("InvalidTagParameterException", "InvalidParameterException")),
    (
        "one key twice",
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
        ("InvalidTagParameterException", "InvalidParameterException"),
    ),
]


@pytest.mark.parametrize("name,tags,codes", BAD_TAGS, ids=[row[0] for row in BAD_TAGS])
def test_bad_resource_tags(
    ecr: Any, repository: str, name: str, tags: list[dict[str, str]], codes: tuple[str, ...]
) -> None:
    assert failure(ecr.tag_resource, resourceArn=arn(repository), tags=tags).code in codes
    assert tags_of(ecr, repository) == {}
    other = aws.unique_name()
    assert failure(ecr.create_repository, repositoryName=other, tags=tags).code in codes
    # Creation with tags is all or nothing.
    assert failure(ecr.describe_repositories, repositoryNames=[other]).code == "RepositoryNotFoundException"


def test_the_limit_counts_tags_that_are_there(ecr: Any, repository: str) -> None:
    ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    failed = failure(ecr.tag_resource, resourceArn=arn(repository), tags=[{"Key": "one-more", "Value": ""}])
    assert failed.code == "TooManyTagsException"
    ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": "k0", "Value": "changed"}])


BAD_ARNS = {
    "no ARN": "repository/x",
    "another service": f"arn:aws:s3:{REGION}:{ACCOUNT}:repository/x",
    "a registry": f"arn:aws:ecr:{REGION}:{ACCOUNT}:registry/{ACCOUNT}",
}


@pytest.mark.parametrize("name", BAD_ARNS)
def test_bad_arn(ecr: Any, name: str) -> None:
    failed = failure(ecr.list_tags_for_resource, resourceArn=BAD_ARNS[name])
    assert failed.code == "InvalidParameterException"


def test_tags_of_a_missing_repository(ecr: Any) -> None:
    for action, more in (
        (ecr.list_tags_for_resource, {}),
        (ecr.tag_resource, {"tags": [{"Key": "a", "Value": "1"}]}),
        (ecr.untag_resource, {"tagKeys": ["a"]}),
    ):
        assert failure(action, resourceArn=arn("nowhere"), **more).code == "RepositoryNotFoundException"


# --- tokens and identity


def test_authorization_token(server: Server, ecr: Any) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    data = ecr.get_authorization_token()["authorizationData"]
    assert len(data) == 1
    assert data[0]["proxyEndpoint"] == server.url
    hours = (data[0]["expiresAt"] - before).total_seconds() / 3600
    assert 11.9 < hours < 12.1
    user, password = base64.b64decode(data[0]["authorizationToken"]).decode().split(":")
    assert user == "AWS" and password.isascii()
    Registry(server.host, password).send("GET", "/v2/").expect(200)


def test_authorization_token_for_a_registry(ecr: Any) -> None:
    # The ECS agent always names one registry and wants exactly one entry back.
    data = ecr.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"]
    assert len(data) == 1


def test_caller_identity(server: Server) -> None:
    identity = aws.client(server, "sts").get_caller_identity()
    assert identity["Account"] == ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert identity["UserId"] == ACCOUNT


def test_named_hosts(server: Server) -> None:
    ecr = aws.client(server, url=f"http://{server.api_name}")
    name = aws.unique_name()
    created = ecr.create_repository(repositoryName=name)["repository"]
    assert created["repositoryUri"] == f"{server.registry_name}/{name}"
    data = ecr.get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == f"http://{server.registry_name}"
    password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
    Registry(server.registry_name, password).push_small_image(name, "v1", name)
    # The same repository under the bare host shows the bare host.
    bare = aws.client(server).describe_repositories(repositoryNames=[name])["repositories"][0]
    assert bare["repositoryUri"] == f"{server.host}/{name}"
