"""boto3: images and layers through the API alone, and beside the OCI side."""

from __future__ import annotations

import datetime
import json
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from harness import aws
from harness.aws import failure
from harness.http import (
    CONFIG_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Registry,
    digest_of,
    image_index,
    pseudo_random,
    send,
    small_image,
)
from harness.server import ACCOUNT, Server

ABSENT = "sha256:" + "0" * 64
MEBIBYTE = 1 << 20


def upload(ecr: Any, repository: str, content: bytes, part_bytes: int = 10 * MEBIBYTE) -> str:
    """Uploads a layer through the API, as the containerd resolver for ECR does."""
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    for first in range(0, len(content), part_bytes):
        part = content[first : first + part_bytes]
        answer = ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload_id,
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
        assert answer["lastByteReceived"] == first + len(part) - 1
        assert (answer["registryId"], answer["repositoryName"], answer["uploadId"]) == (ACCOUNT, repository, upload_id)
    done = ecr.complete_layer_upload(repositoryName=repository, uploadId=upload_id, layerDigests=[digest_of(content)])
    assert (done["registryId"], done["repositoryName"], done["uploadId"]) == (ACCOUNT, repository, upload_id)
    return str(done["layerDigest"])


def absent_image(repository: str, digest: str | None = None, tag: str | None = None) -> str:
    wanted = f"{{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}}"
    return (
        f"The image with imageId {wanted} does not exist within the repository with name '{repository}' "
        f"in the registry with id '{ACCOUNT}'"
    )


# --- layers


def test_an_image_through_the_api_alone(ecr: Any, registry: Registry, repository: str) -> None:
    image = small_image(repository, layers=2)
    for blob in image.blobs:
        assert upload(ecr, repository, blob) == digest_of(blob)
    put = ecr.put_image(
        repositoryName=repository,
        imageManifest=image.manifest.decode(),
        imageManifestMediaType=MANIFEST_TYPE,
        imageTag="v1",
        imageDigest=image.digest,
    )["image"]
    assert put == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageId": {"imageDigest": image.digest, "imageTag": "v1"},
        "imageManifest": image.manifest.decode(),
        "imageManifestMediaType": MANIFEST_TYPE,
    }
    assert registry.get_manifest(repository, "v1").body == image.manifest
    for blob in image.blobs:
        assert registry.get_blob(repository, digest_of(blob)).body == blob


def test_a_layer_in_several_parts(ecr: Any, registry: Registry, repository: str) -> None:
    content = pseudo_random(repository, 12 * MEBIBYTE + 17)
    assert upload(ecr, repository, content, 5 * MEBIBYTE) == digest_of(content)
    assert registry.send("HEAD", f"/v2/{repository}/blobs/{digest_of(content)}").headers["Content-Length"] == str(
        len(content)
    )


def test_initiate_names_a_part_size(ecr: Any, repository: str) -> None:
    answer = ecr.initiate_layer_upload(repositoryName=repository)
    assert 5 * MEBIBYTE <= answer["partSize"] <= 20 * MEBIBYTE
    assert answer["uploadId"] == answer["uploadId"].lower()


def part(ecr: Any, repository: str, upload_id: str, first: int, content: bytes) -> dict[str, Any]:
    """The parameters of one part."""
    return {
        "repositoryName": repository,
        "uploadId": upload_id,
        "partFirstByte": first,
        "partLastByte": first + len(content) - 1,
        "layerPartBlob": content,
    }


@pytest.mark.parametrize("first", [5, 20, 0])
def test_part_out_of_order(ecr: Any, repository: str, first: int) -> None:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 0, b"0123456789"))
    failed = failure(ecr.upload_layer_part, **part(ecr, repository, upload_id, first, b"abc"))
    assert failed.code == "InvalidLayerPartException"
    assert failed.message == f"First byte of the layer part is {first} instead of 10"
    details = {
        name: failed.response[name] for name in ("registryId", "repositoryName", "uploadId", "lastValidByteReceived")
    }
    assert details == {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "uploadId": upload_id,
        "lastValidByteReceived": 9,
    }


def test_small_part_in_the_middle(ecr: Any, repository: str) -> None:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 0, b"tiny"))
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 4, b"last"))
    failed = failure(
        ecr.complete_layer_upload,
        repositoryName=repository,
        uploadId=upload_id,
        layerDigests=[digest_of(b"tinylast")],
    )
    assert failed.code == "LayerPartTooSmallException"


def test_upload_errors(ecr: Any, repository: str) -> None:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    complete = {"repositoryName": repository, "uploadId": upload_id}
    assert failure(ecr.complete_layer_upload, **complete, layerDigests=[ABSENT]).code == "EmptyUploadException"

    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    complete["uploadId"] = upload_id
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 0, b"content"))
    failed = failure(ecr.complete_layer_upload, **complete, layerDigests=[ABSENT])
    assert failed.code == "InvalidLayerException"
    assert failed.message == "None of the provided layer digests match the calculated layer digest"

    unknown = {"repositoryName": repository, "uploadId": "8b5c9d04-0000-4000-8000-000000000000"}
    assert failure(ecr.complete_layer_upload, **unknown, layerDigests=[ABSENT]).code == "UploadNotFoundException"
    parameters = part(ecr, repository, unknown["uploadId"], 0, b"x")
    assert failure(ecr.upload_layer_part, **parameters).code == "UploadNotFoundException"


def test_any_of_the_digests_may_match(ecr: Any, repository: str) -> None:
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 0, b"content"))
    done = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=upload_id, layerDigests=[ABSENT, digest_of(b"content")]
    )
    assert done["layerDigest"] == digest_of(b"content")


def test_a_layer_that_is_there(ecr: Any, repository: str) -> None:
    upload(ecr, repository, b"content")
    upload_id = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(**part(ecr, repository, upload_id, 0, b"content"))
    failed = failure(
        ecr.complete_layer_upload, repositoryName=repository, uploadId=upload_id, layerDigests=[digest_of(b"content")]
    )
    assert failed.code == "LayerAlreadyExistsException"


def test_layer_availability(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    layer = digest_of(image.blobs[1])
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[layer, ABSENT, "nonsense"])
    found = {entry["layerDigest"]: entry for entry in answer["layers"]}
    assert found[layer]["layerAvailability"] == "AVAILABLE"
    assert found[layer]["layerSize"] == len(image.blobs[1])
    assert found[ABSENT]["layerAvailability"] == "UNAVAILABLE" and "layerSize" not in found[ABSENT]
    assert [(entry["layerDigest"], entry["failureCode"]) for entry in answer["failures"]] == [
        ("nonsense", "InvalidLayerDigest")
    ]


@pytest.mark.parametrize("count,works", [(1, True), (100, True), (0, False), (101, False)])
def test_layer_availability_bounds(server: Server, repository: str, count: int, works: bool) -> None:
    ecr = aws.client(server, parameter_validation=False)
    parameters = {"repositoryName": repository, "layerDigests": [f"sha256:{n:064}" for n in range(count)]}
    if works:
        assert len(ecr.batch_check_layer_availability(**parameters)["layers"]) == count
    else:
        assert failure(ecr.batch_check_layer_availability, **parameters).code == "InvalidParameterException"


def test_download_url(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    content = image.blobs[1]
    answer = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(content))
    assert answer["layerDigest"] == digest_of(content)
    parts = urlsplit(answer["downloadUrl"])
    # The address carries its own permission; no header is sent with it.
    target = urlunsplit(("", "", parts.path, parts.query, ""))
    assert send(parts.netloc, "GET", target).expect(200).body == content
    assert send(parts.netloc, "GET", target, headers={"Range": "bytes=10-19"}).expect(206).body == content[10:20]
    # Clients that forward their token must not be refused for it.
    authorization = {"Authorization": registry.authorization or ""}
    assert send(parts.netloc, "GET", target, headers=authorization).expect(200).body == content


def test_a_changed_download_url_is_refused(ecr: Any, registry: Registry, repository: str) -> None:
    first = registry.push_small_image(repository, "v1", f"{repository}/1")
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest_of(first.blobs[1]))[
        "downloadUrl"
    ]
    parts = urlsplit(url)
    target = urlunsplit(("", "", parts.path, parts.query, ""))
    # The last letter is left alone: in Base64 some of its bits mean nothing.
    for position in range(len(target) - 8, len(target) - 1):
        changed = target[:position] + ("0" if target[position] != "0" else "1") + target[position + 1 :]
        answer = send(parts.netloc, "GET", changed)
        assert answer.status in (400, 401, 403, 404), f"{changed}\n{answer}"
    cut = send(parts.netloc, "GET", target[:-10])
    assert cut.status in (400, 401, 403, 404), str(cut)


def test_download_url_errors(ecr: Any, repository: str) -> None:
    layer = upload(ecr, repository, b"not referenced")
    ask = {"repositoryName": repository}
    assert failure(ecr.get_download_url_for_layer, **ask, layerDigest=ABSENT).code == "LayersNotFoundException"
    assert failure(ecr.get_download_url_for_layer, **ask, layerDigest=layer).code == "LayerInaccessibleException"


# --- PutImage


def test_put_image_errors(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    manifest = image.manifest.decode()
    put = {"repositoryName": repository, "imageManifest": manifest}

    failed = failure(ecr.put_image, **put, imageTag="v1")
    assert failed.code == "ImageAlreadyExistsException"
    assert failed.message == (
        f"Image with digest '{image.digest}' and tag 'v1' already exists in the repository with name '{repository}' "
        f"in registry with id '{ACCOUNT}'"
    )
    failed = failure(ecr.put_image, **put, imageTag="v2", imageDigest=ABSENT)
    assert failed.code == "ImageDigestDoesNotMatchException"

    absent = small_image(f"{repository}/absent")
    failed = failure(ecr.put_image, repositoryName=repository, imageManifest=absent.manifest.decode(), imageTag="v2")
    assert failed.code == "LayersNotFoundException"

    index = image_index(absent).decode()
    failed = failure(ecr.put_image, repositoryName=repository, imageManifest=index, imageTag="v2")
    assert failed.code == "ReferencedImagesNotFoundException"
    assert failed.message == (
        f"Images with digests '[{absent.digest}]' required for pushing image into repository with name '{repository}' "
        f"in the registry with id '{ACCOUNT}' do not exist"
    )

    failed = failure(ecr.put_image, repositoryName=repository, imageManifest="{", imageTag="v2")
    assert failed.code == "InvalidParameterException"
    assert failed.message.startswith("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '")


def test_put_image_without_a_media_type(ecr: Any, registry: Registry, repository: str) -> None:
    """A manifest that does not say what it is needs the parameter that does."""
    image = registry.push_small_image(repository, "v1", repository)
    document = json.loads(image.manifest)
    del document["mediaType"]
    manifest = json.dumps(document)
    ask = {"repositoryName": repository, "imageManifest": manifest, "imageTag": "v2"}
    assert failure(ecr.put_image, **ask).code == "InvalidParameterException"
    put = ecr.put_image(**ask, imageManifestMediaType=MANIFEST_TYPE)["image"]
    assert put["imageId"]["imageDigest"] == digest_of(manifest.encode())
    assert put["imageManifestMediaType"] == MANIFEST_TYPE


def test_retagging_keeps_the_push_time(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    pushed = ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imagePushedAt"]
    ecr.put_image(repositoryName=repository, imageManifest=image.manifest.decode(), imageTag="v2")
    detail = ecr.describe_images(repositoryName=repository)["imageDetails"][0]
    assert detail["imagePushedAt"] == pushed
    assert sorted(detail["imageTags"]) == ["v1", "v2"]


# --- reading


def test_describe_images(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository, layers=3)
    before = datetime.datetime.now(datetime.timezone.utc)
    detail = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert abs((detail["imagePushedAt"] - before).total_seconds()) < 60
    expected = {
        "registryId": ACCOUNT,
        "repositoryName": repository,
        "imageDigest": image.digest,
        "imageTags": ["v1"],
        "imageManifestMediaType": MANIFEST_TYPE,
        "artifactMediaType": CONFIG_TYPE,
    }
    assert {name: detail.get(name) for name in expected} == expected
    # Whether the configuration counts is not documented; the layers do.
    layers = sum(len(blob) for blob in image.blobs[1:])
    assert detail["imageSizeInBytes"] in (layers, layers + len(image.blobs[0]))
    assert "scanOnPush" not in detail


def test_describe_an_index(ecr: Any, registry: Registry, repository: str) -> None:
    small = registry.push_small_image(repository, "", f"{repository}/small")
    large = registry.push_small_image(repository, "", f"{repository}/large", layers=4)
    index = image_index(small, large)
    registry.push_manifest(repository, "multi", index, INDEX_TYPE).expect(201)
    details = {entry["imageDigest"]: entry for entry in ecr.describe_images(repositoryName=repository)["imageDetails"]}
    assert set(details) == {small.digest, large.digest, digest_of(index)}
    assert details[digest_of(index)]["imageTags"] == ["multi"]
    assert details[digest_of(index)]["imageSizeInBytes"] == details[large.digest]["imageSizeInBytes"]
    assert all("imageTags" not in details[child.digest] for child in (small, large))


@pytest.mark.parametrize("by_tag", [True, False])
def test_describe_a_missing_image(ecr: Any, registry: Registry, repository: str, by_tag: bool) -> None:
    registry.push_small_image(repository, "v1", repository)
    wanted = {"imageTag": "absent"} if by_tag else {"imageDigest": ABSENT}
    failed = failure(ecr.describe_images, repositoryName=repository, imageIds=[{"imageTag": "v1"}, wanted])
    assert failed.code == "ImageNotFoundException"
    expected = absent_image(repository, tag="absent") if by_tag else absent_image(repository, digest=ABSENT)
    assert failed.message == expected


@pytest.fixture(scope="module")
def many(ecr: Any, registry: Registry) -> tuple[str, set[tuple[str, str | None]]]:
    """A repository of 24 images: 12 tagged once, 3 tagged twice, 9 untagged."""
    name = aws.unique_name("suite/many")
    ecr.create_repository(repositoryName=name)
    pairs: set[tuple[str, str | None]] = set()
    for number in range(24):
        image = registry.push_small_image(name, f"t{number}" if number < 15 else "", f"{name}/{number}")
        pairs.add((image.digest, f"t{number}" if number < 15 else None))
        if number < 3:
            registry.push_manifest(name, f"also-{number}", image.manifest).expect(201)
            pairs.add((image.digest, f"also-{number}"))
    return name, pairs


FILTERS = [
    ({}, lambda pair: True),
    ({"filter": {"tagStatus": "ANY"}}, lambda pair: True),
    ({"filter": {"tagStatus": "TAGGED"}}, lambda pair: pair[1] is not None),
    ({"filter": {"tagStatus": "UNTAGGED"}}, lambda pair: pair[1] is None),
]


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("parameters,keep", FILTERS, ids=["none", "any", "tagged", "untagged"])
def test_list_and_describe_pages(ecr: Any, many: Any, size: int, parameters: dict[str, Any], keep: Any) -> None:
    name, pairs = many
    expected = {pair for pair in pairs if keep(pair)}
    settings = {"PageSize": size}
    pages = list(
        ecr.get_paginator("list_images").paginate(repositoryName=name, PaginationConfig=settings, **parameters)
    )
    listed = [(entry["imageDigest"], entry.get("imageTag")) for page in pages for entry in page["imageIds"]]
    assert all(len(page["imageIds"]) <= size for page in pages)
    assert len(listed) == len(set(listed)) and set(listed) == expected

    pages = list(
        ecr.get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig=settings, **parameters)
    )
    described = [entry for page in pages for entry in page["imageDetails"]]
    assert all(len(page["imageDetails"]) <= size for page in pages)
    assert len(described) == len({digest for digest, _ in expected})
    assert {(entry["imageDigest"], tag) for entry in described for tag in entry.get("imageTags", [None])} == expected


def test_a_page_token_belongs_to_its_call(ecr: Any, many: Any, repository: str) -> None:
    name, _ = many
    token = ecr.list_images(repositoryName=name, maxResults=5)["nextToken"]
    failed = failure(ecr.list_images, repositoryName=name, nextToken=token + "x")
    assert failed.code == "InvalidParameterException"


def test_batch_get_image(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    wanted = [
        {"imageTag": "v1"},
        {"imageDigest": image.digest},
        {"imageTag": "absent"},
        {"imageDigest": ABSENT},
        {"imageDigest": "nonsense"},
        {},
    ]
    answer = ecr.batch_get_image(repositoryName=repository, imageIds=wanted)
    for entry in answer["images"]:
        assert entry["imageManifest"] == image.manifest.decode()
        assert entry["imageManifestMediaType"] == MANIFEST_TYPE
        assert (entry["registryId"], entry["repositoryName"]) == (ACCOUNT, repository)
        assert entry["imageId"]["imageDigest"] == image.digest
    assert {entry["imageId"].get("imageTag") for entry in answer["images"]} == {"v1", None}
    failures = [(entry["failureCode"], entry["failureReason"]) for entry in answer["failures"]]
    assert sorted(failures) == [
        ("ImageNotFound", "Requested image not found"),
        ("ImageNotFound", "Requested image not found"),
        (
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        ("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"),
    ]


@pytest.mark.parametrize("operation", ["batch_get_image", "batch_delete_image"])
@pytest.mark.parametrize("count", [0, 101])
def test_batch_bounds(server: Server, repository: str, operation: str, count: int) -> None:
    ecr = aws.client(server, parameter_validation=False)
    ids = [{"imageTag": f"t{n}"} for n in range(count)]
    failed = failure(getattr(ecr, operation), repositoryName=repository, imageIds=ids)
    assert failed.code == "InvalidParameterException"


# --- deleting


def test_delete_by_tag_then_the_last_tag(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    registry.push_manifest(repository, "v2", image.manifest).expect(201)

    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert answer["imageIds"] == [{"imageDigest": image.digest, "imageTag": "v1"}] and answer["failures"] == []
    registry.get_manifest(repository, image.digest).expect(200)

    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v2"}])
    assert answer["imageIds"] == [{"imageDigest": image.digest, "imageTag": "v2"}]
    registry.get_manifest(repository, image.digest).expect_error(404, "MANIFEST_UNKNOWN")


def test_delete_by_digest_names_every_tag(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    registry.push_manifest(repository, "v2", image.manifest).expect(201)
    untagged = registry.push_small_image(repository, "", f"{repository}/untagged")
    answer = ecr.batch_delete_image(
        repositoryName=repository, imageIds=[{"imageDigest": image.digest}, {"imageDigest": untagged.digest}]
    )
    deleted = {(entry["imageDigest"], entry.get("imageTag")) for entry in answer["imageIds"]}
    assert deleted == {(image.digest, "v1"), (image.digest, "v2"), (untagged.digest, None)}
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_delete_failures(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    wanted = [{"imageTag": "absent"}, {"imageTag": "v1", "imageDigest": ABSENT}, {}]
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=wanted)
    assert answer["imageIds"] == []
    codes = [entry["failureCode"] for entry in answer["failures"]]
    assert sorted(codes) == ["ImageNotFound", "ImageTagDoesNotMatchDigest", "MissingDigestAndTag"]
    registry.get_manifest(repository, image.digest).expect(200)


def test_children_of_an_index_stay(ecr: Any, registry: Registry, repository: str) -> None:
    child = registry.push_small_image(repository, "child", repository)
    index = image_index(child)
    registry.push_manifest(repository, "multi", index, INDEX_TYPE).expect(201)
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": child.digest}])
    assert [(entry["failureCode"], entry["failureReason"]) for entry in answer["failures"]] == [
        ("ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{digest_of(index)}]")
    ]
    # The index first, then the child.
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "multi"}])
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": child.digest}])
    assert answer["failures"] == []


def test_a_deleted_image_can_be_pushed_again(ecr: Any, registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": image.digest}])
    again = registry.push_small_image(repository, "v1", repository)
    assert again.digest == image.digest
    for blob in image.blobs:
        assert registry.get_blob(repository, digest_of(blob)).expect(200).body == blob
