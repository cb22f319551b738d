"""The archive storage class, as boto3 and docker's protocol see it, with the archive in a directory of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.aws import failure
from harness.http import digest_of
from harness.server import Server
from harness.tools import wait_until

PATIENCE = 60


class ColdServer(Server):
    """A server whose archive is elsewhere."""

    archive_name = "cold"

    @property
    def archive(self) -> Path:
        """The directory."""
        return self.directory / self.archive_name

    def command(self) -> list[str]:
        return [*super().command(), "--archive-directory", str(self.archive)]


@pytest.fixture
def cold(binary: Path, tmp_path: Path) -> Iterator[ColdServer]:
    server = ColdServer(binary, tmp_path / "server")
    server.start()
    yield server
    server.close()


def objects(directory: Path) -> int:
    """How many objects lie there."""
    return sum(1 for path in (directory / "objects").rglob("*") if path.is_file())


def status(ecr: Any, name: str, tag: str) -> str:
    """How an image stands."""
    described = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])["imageDetails"]
    return str(described[0]["imageStatus"])


def test_an_image_goes_to_the_archive_and_comes_back(cold: ColdServer) -> None:
    ecr = aws.client(cold)
    name = aws.unique_name()
    ecr.create_repository(repositoryName=name)
    docker = aws.registry(cold, ecr)
    image = docker.push_small_image(name, "v1", name)
    layer = bytes(3_000_000)
    docker.push_blob(name, layer).expect(201)
    config = image.blobs[0]
    manifest = json.loads(image.manifest)
    manifest["layers"].append(
        {"mediaType": manifest["layers"][0]["mediaType"], "digest": digest_of(layer), "size": len(layer)}
    )
    docker.push_manifest(name, "large", json.dumps(manifest).encode()).expect(201)
    update = ecr.update_image_storage_class

    archived = update(repositoryName=name, imageId={"imageTag": "large"}, targetStorageClass="ARCHIVE")
    assert archived["imageStatus"] == "ARCHIVED" and archived["imageId"]["imageTag"] == "large"
    docker.get_manifest(name, "large").expect(404)
    docker.get_blob(name, digest_of(layer)).expect(404)
    docker.get_blob(name, digest_of(config)).expect(200)
    asked = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest_of(layer)])["layers"]
    assert [found["layerAvailability"] for found in asked] == ["ARCHIVED"]
    assert [found["imageTag"] for found in ecr.list_images(repositoryName=name)["imageIds"]] == ["v1"]
    hidden = ecr.list_images(repositoryName=name, filter={"imageStatus": "ARCHIVED"})["imageIds"]
    assert [found["imageTag"] for found in hidden] == ["large"]
    wait_until(lambda: objects(cold.archive) == 1, PATIENCE, "the layer lies in the archive")
    refused = failure(update, repositoryName=name, imageId={"imageTag": "large"}, targetStorageClass="ARCHIVE")
    assert refused.code == "ImageStorageClassUpdateNotSupportedException"

    # Whoever begins to restore it need not wait for it.
    restored = update(repositoryName=name, imageId={"imageTag": "large"}, targetStorageClass="STANDARD")
    assert restored["imageStatus"] == "ACTIVATING"
    cold.kill()
    cold.start()
    ecr = aws.client(cold)
    wait_until(lambda: status(ecr, name, "large") == "ACTIVE", PATIENCE, "the image is active")
    docker = aws.registry(cold, ecr)
    assert docker.get_blob(name, digest_of(layer)).expect(200).body == layer
    details = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "large"}])["imageDetails"][0]
    assert details["lastArchivedAt"] <= details["lastActivatedAt"]


def test_an_archive_that_is_not_there_is_told_at_the_start(cold: ColdServer) -> None:
    ecr = aws.client(cold)
    name = aws.unique_name()
    ecr.create_repository(repositoryName=name)
    cold.stop()
    cold.archive.rename(cold.directory / "moved")
    with pytest.raises(AssertionError, match="archive_directory"):
        cold.start()
    cold.archive_name = "moved"
    cold.start()
    assert aws.client(cold).describe_repositories()["repositories"]
