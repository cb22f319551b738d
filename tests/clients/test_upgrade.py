"""A data directory of every earlier form of the store is taken over as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import aws, old_store
from harness.http import INDEX_TYPE, digest_of
from harness.old_store import LARGE, REPOSITORY
from harness.server import Server

STORES = sorted(path.name.removesuffix(".tar.xz") for path in old_store.FIXTURES.glob("*.tar.xz"))


def check_contents(server: Server) -> None:
    """Everything that was pushed before is there, byte for byte."""
    ecr = aws.client(server)
    registry = aws.registry(server, ecr)
    for tag, image in old_store.images().items():
        for reference in (tag, image.digest):
            assert registry.get_manifest(REPOSITORY, reference).expect(200).body == image.manifest
        for blob in image.blobs:
            assert registry.get_blob(REPOSITORY, digest_of(blob)).expect(200).body == blob
    assert registry.get_manifest(REPOSITORY, "latest").body == old_store.images()["v3"].manifest
    assert registry.get_manifest(REPOSITORY, "all", INDEX_TYPE).expect(200).body == old_store.index()
    described = ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"]
    pushed = {image.digest for image in old_store.images().values()} | {digest_of(old_store.index())}
    assert pushed <= {detail["imageDigest"] for detail in described}
    repository = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "fixtures"}]


def test_there_is_a_store_to_take_over() -> None:
    assert STORES


@pytest.mark.parametrize("name", STORES)
def test_an_earlier_store_is_taken_over(binary: Path, tmp_path: Path, name: str) -> None:
    data = old_store.unpack(name, tmp_path)
    server = Server(binary, tmp_path / "server", data=data)
    found = server.subcommand("fsck", "--contents", "--data-dir", str(data))
    assert "nothing" in found.stdout.lower(), found.stdout
    server.start()
    try:
        check_contents(server)
        registry = aws.registry(server, aws.client(server))
        registry.push_manifest(REPOSITORY, "v0", old_store.images()["v1"].manifest).expect(400, 409)
        registry.push_blob(REPOSITORY, LARGE).expect(201)
        pushed = registry.push_small_image(REPOSITORY, "new", "after the upgrade", layers=2)
        server.restart()
        check_contents(server)
        assert registry.get_manifest(REPOSITORY, "new").expect(200).body == pushed.manifest
    finally:
        server.close()
    server.subcommand("fsck", "--contents", "--data-dir", str(data))
