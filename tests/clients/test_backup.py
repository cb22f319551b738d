"""A backup that is made while clients push, restored elsewhere: every image is there, byte for byte."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from harness import aws
from harness.http import SmallImage, digest_of
from harness.server import Server

REPOSITORY = "suite/backup"
LAYER_BYTES = 150_000


def check(server: Server, images: dict[str, SmallImage]) -> None:
    """Every image is there by tag and by digest, in both protocols."""
    ecr = aws.client(server)
    registry = aws.registry(server, ecr)
    for tag, image in images.items():
        for reference in (tag, image.digest):
            assert registry.get_manifest(REPOSITORY, reference).expect(200).body == image.manifest
        for blob in image.blobs:
            assert registry.get_blob(REPOSITORY, digest_of(blob)).expect(200).body == blob
    some = list(images)[:100]  # what one request takes
    got = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag} for tag in some])
    assert [image["imageId"]["imageTag"] for image in got["images"]] == some


def restored(binary: Path, directory: Path, backups: Path, root_key: Path) -> Server:
    """A server on a new data directory, made from the latest snapshot."""
    server = Server(binary, directory)
    server.data.mkdir(mode=0o700)
    shutil.copy(root_key, server.data / "root.key")
    server.subcommand("restore", "--from", str(backups), "--data-dir", str(server.data))
    found = server.subcommand("fsck", "--contents", "--data-dir", str(server.data))
    assert "nothing is wrong" in found.stdout.lower(), found.stdout
    return server.start()


def test_a_backup_during_pushes_is_restored_elsewhere(own_server: Server, binary: Path, tmp_path: Path) -> None:
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName=REPOSITORY, tags=[{"Key": "team", "Value": "backup"}])
    registry = aws.registry(own_server, ecr)
    data = str(own_server.data)
    images: dict[str, SmallImage] = {}
    for number in range(5):
        tag = f"before-{number}"
        images[tag] = registry.push_small_image(REPOSITORY, tag, tag, layers=2, layer_bytes=LAYER_BYTES)
    before = dict(images)

    stop = threading.Event()
    failures: list[BaseException] = []

    def push() -> None:
        try:
            number = 0
            while not stop.is_set():
                tag = f"meanwhile-{number}"
                images[tag] = registry.push_small_image(REPOSITORY, tag, tag, layers=2, layer_bytes=LAYER_BYTES)
                number += 1
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    pusher = threading.Thread(target=push)
    pusher.start()
    backups = tmp_path / "backups"
    try:
        for _ in range(3):
            own_server.subcommand("backup", "--to", str(backups), "--data-dir", data)
    finally:
        stop.set()
        pusher.join()
    assert not failures, failures

    verified = own_server.subcommand("backup", "--verify", str(backups))
    assert "Read 3 snapshots" in verified.stdout and "Nothing is wrong" in verified.stdout
    first = restored(binary, tmp_path / "first", backups, own_server.data / "root.key")
    try:
        check(first, before)
        arn = aws.client(first).describe_repositories()["repositories"][0]["repositoryArn"]
        tags = aws.client(first).list_tags_for_resource(resourceArn=arn)["tags"]
        assert tags == [{"Key": "team", "Value": "backup"}]
    finally:
        first.close()

    own_server.subcommand("backup", "--to", str(backups), "--data-dir", data, "--keep", "1")
    listed = own_server.subcommand("backup", "--list", str(backups)).stdout
    assert len(listed.splitlines()) == 1, listed
    second = restored(binary, tmp_path / "second", backups, own_server.data / "root.key")
    try:
        check(second, images)
        second_registry = aws.registry(second, aws.client(second))
        second_registry.push_small_image(REPOSITORY, "after", "after the restore", layers=2)
    finally:
        second.close()
