"""A disk that fills up under the server.

Goal: each kind of write meets ENOSPC, answers with an error in its protocol's shape, damages nothing,
and works again without a restart once there is room.
Method: the data directory is a small file system; a ballast file takes all but a chosen rest of it, and
the rest grows from nothing to the size of a whole push, so that upload data, object commits, metadata
commits and checkpoints each meet the end of the disk at some step.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any, Callable, Iterator

import botocore.exceptions
import pytest

from crash.load import CUT
from harness import aws
from harness.http import (
    Registry,
    Response,
    digest_of,
    pseudo_random,
    small_image,
    target_of,
)
from harness.server import Server
from harness.tools import run, tail, wait_until

DISK_BYTES = 64 << 20
# One push; its pieces land on both sides of every storage decision, beside the metadata and as objects.
PUSH_BYTES = 1_200_000


class Disk:
    """A mounted small file system and its ballast."""

    def __init__(self, mount: Path) -> None:
        self.mount = mount
        self.ballast = mount / "ballast"

    def free_bytes(self) -> int:
        """What root can still write."""
        status = os.statvfs(self.mount)
        return status.f_bfree * status.f_frsize

    def fill(self, rest: int) -> None:
        """Grows the ballast until at most `rest` bytes are free."""
        block = 1 << 16
        with self.ballast.open("ab") as file:
            while (more := self.free_bytes() - rest) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), min(more, block))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    if block == 512:
                        return
                    block = 512
                    continue
                file.seek(0, os.SEEK_END)

    def drain(self) -> None:
        """Removes the ballast."""
        self.ballast.unlink(missing_ok=True)


def mount_tmpfs(tmp_path: Path) -> Path:
    mount = tmp_path / "tmpfs"
    mount.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", mount)
    return mount


def mount_ext4(tmp_path: Path) -> Path:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    run("mkfs.ext4", "-q", "-m", "0", image)
    mount = tmp_path / "ext4"
    mount.mkdir()
    run("mount", "-o", "loop", image, mount)
    return mount


FILE_SYSTEMS: dict[str, Callable[[Path], Path]] = {"tmpfs": mount_tmpfs, "ext4": mount_ext4}


@pytest.fixture(params=list(FILE_SYSTEMS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A small file system, unmounted at the end."""
    mount = FILE_SYSTEMS[request.param](tmp_path)
    yield Disk(mount)
    run("umount", "--lazy", mount)


@pytest.fixture
def full_server(binary: Path, disk: Disk, tmp_path: Path) -> Iterator[Server]:
    """A server whose data directory, but not its log, is on the small disk."""
    running = Server(binary, tmp_path / "server", data=disk.mount / "data").start()
    yield running
    running.close()


def oci_ok(answer: Response) -> bool:
    """Whether a push step worked; a failure must be a server error in the OCI envelope."""
    if answer.status in (201, 202):
        return True
    assert answer.status in (500, 503, 507), f"not a server error: {answer}"
    code, message = answer.errors[0]
    assert code and message, str(answer)
    # Nothing of the machine leaks to a client.
    assert "/data" not in message and "os error" not in message, message
    return False


def push(registry: Registry, repository: str, seed: str, tag: str) -> tuple[bool, list[bytes], bytes]:
    """Tries a push; returns whether it was acknowledged, the acknowledged blobs, and the manifest."""
    image = small_image(seed, layers=4, layer_bytes=PUSH_BYTES // 4)
    small = small_image(f"{seed}/small", layers=2, layer_bytes=9000)
    kept = []
    whole = True
    for blob in (*image.blobs, *small.blobs):
        start = registry.send("POST", f"/v2/{repository}/blobs/uploads/")
        if not oci_ok(start):
            whole = False
            continue
        target = target_of(start)
        chunk = registry.push_chunk(target, blob[: len(blob) // 2], start=0)
        if not oci_ok(chunk):
            whole = False
            continue
        if oci_ok(registry.finish_upload(target_of(chunk), digest_of(blob), blob[len(blob) // 2 :])):
            kept.append(blob)
        else:
            whole = False
    if not whole:
        return False, kept, image.manifest
    return oci_ok(registry.push_manifest(repository, tag, image.manifest)), kept, image.manifest


def api_ok(action: Any, **parameters: Any) -> bool:
    """Whether a call worked; a failure must be a modelled server error."""
    try:
        action(**parameters)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status >= 500, str(error)
        assert error.response["Error"]["Code"] in ("ServerException", "InternalFailure", "ServiceUnavailable"), str(
            error
        )
        return False
    return True


def test_full_disk(full_server: Server, disk: Disk, seed: int, request: pytest.FixtureRequest) -> None:
    steps = int(request.config.getoption("--disk-steps"))
    chance = random.Random(seed)
    ecr = aws.client(full_server)
    ecr.create_repository(repositoryName="disk")
    registry = aws.registry(full_server, ecr)
    blobs: dict[str, bytes] = {}
    tags: dict[str, bytes] = {}
    created: list[str] = []
    refused = 0

    for step in range(steps):
        where = f"seed {seed}, step {step} of {steps}"
        # From nothing at all to a little more than the two pushes of a step need.
        rest = int(PUSH_BYTES * 2.4 * step / max(1, steps - 1)) + chance.randrange(4096)
        disk.fill(rest)
        try:
            for attempt in range(2):
                tag = f"s{step}-{attempt}"
                acknowledged, kept, manifest = push(registry, "disk", f"{seed}/{tag}", tag)
                blobs.update({digest_of(blob): blob for blob in kept})
                if acknowledged:
                    tags[tag] = manifest
                refused += not acknowledged
                name = f"disk/{tag}"
                if api_ok(ecr.create_repository, repositoryName=name):
                    created.append(name)
                # Reading what is there needs no room.
                for known in list(tags)[-3:]:
                    assert registry.get_manifest("disk", known).expect(200).body == tags[known]
                assert full_server.probe("/healthz") == 200
        except (AssertionError, *CUT) as error:
            raise AssertionError(f"{where}, {rest} bytes free at first: {error}\n{tail(full_server.log)}") from None
        finally:
            disk.drain()

        # Room again: the next push works, without a restart.
        tag = f"s{step}-after"
        acknowledged, kept, manifest = push(registry, "disk", f"{seed}/{tag}", tag)
        assert acknowledged, f"{where}: still refused with {disk.free_bytes()} bytes free\n{tail(full_server.log)}"
        blobs.update({digest_of(blob): blob for blob in kept})
        tags[tag] = manifest
        require_room(tags, disk)

    assert refused, "the disk was never full: the test tested nothing"
    verify(full_server, registry, tags, blobs, created)
    full_server.restart()
    verify(full_server, aws.registry(full_server, aws.client(full_server)), tags, blobs, created)
    print(f"seed {seed}: {steps} fill levels, {refused} pushes refused, {len(tags)} acknowledged")


def require_room(tags: dict[str, bytes], disk: Disk) -> None:
    """Nothing is collected within its grace, so the number of steps is bounded by the small disk."""
    assert disk.free_bytes() > 4 * PUSH_BYTES, (
        f"{len(tags)} pushes of {PUSH_BYTES} bytes used up the disk: use fewer --disk-steps"
    )


def verify(
    server: Server, registry: Registry, tags: dict[str, bytes], blobs: dict[str, bytes], created: list[str]
) -> None:
    """Everything acknowledged is there, and nothing else has a tag."""
    for tag, manifest in tags.items():
        assert registry.get_manifest("disk", tag).expect(200).body == manifest
    for digest, content in blobs.items():
        assert registry.get_blob("disk", digest).expect(200).body == content
    ecr = aws.client(server)
    pages = ecr.get_paginator("list_images").paginate(repositoryName="disk", filter={"tagStatus": "TAGGED"})
    assert {entry["imageTag"] for page in pages for entry in page["imageIds"]} == set(tags)
    pages = ecr.get_paginator("describe_repositories").paginate()
    names = {entry["repositoryName"] for page in pages for entry in page["repositories"]}
    assert names == {"disk", *created}


def test_a_large_upload_meets_the_end_of_the_disk(full_server: Server, disk: Disk) -> None:
    """Its staged bytes must not stay: the disk would be full for everybody until the next restart."""
    ecr = aws.client(full_server)
    ecr.create_repository(repositoryName="large")
    registry = aws.registry(full_server, ecr)
    room = disk.free_bytes()
    content = pseudo_random("large", DISK_BYTES + (8 << 20))
    target = registry.start_upload("large")
    try:
        answer = registry.finish_upload(target, digest_of(content), content)
    except (BrokenPipeError, ConnectionResetError):
        # The server may answer and close before it was sent everything.
        pass
    else:
        assert not oci_ok(answer), "more than the disk holds was acknowledged"
    registry.send("HEAD", f"/v2/large/blobs/{digest_of(content)}").expect(404)
    registry.send("DELETE", target)
    wait_until(lambda: disk.free_bytes() > room - (16 << 20), 60, "the refused upload's bytes given back")
    registry.push_small_image("large", "v1", "after")


def test_start_on_a_full_disk(full_server: Server, disk: Disk) -> None:
    """Starting without room says so, and once there is room it starts."""
    ecr = aws.client(full_server)
    ecr.create_repository(repositoryName="start")
    image = aws.registry(full_server, ecr).push_small_image("start", "v1", "start")
    full_server.kill()
    disk.fill(0)
    full_server.spawn()
    process = full_server.process
    assert process is not None
    try:
        # Either it serves what it has, or it ends with a reason.
        wait_until(lambda: process.poll() is not None or full_server.probe("/healthz") == 200, 60, "started or ended")
        if process.poll() is not None:
            assert process.returncode != 0
            assert "No space left" in full_server.log.read_text(), tail(full_server.log)
    finally:
        full_server.kill()
        disk.drain()
    full_server.start()
    registry = aws.registry(full_server, aws.client(full_server))
    assert registry.get_manifest("start", "v1").expect(200).body == image.manifest
