"""SIGKILL at random moments of concurrent pushes.

Goal: every acknowledged push is complete and byte-identical after any crash, and nothing is half-visible.
Method: writers push without pause; after a random number of acknowledgements and a random delay the
server is killed and started again, and then held against what the writers noted.
The moment is random, the seed is printed, and `--points` bounds the number of kills.
A SIGKILL does not lose the page cache, so this finds wrong order and missing atomicity, not missing syncs.
"""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from crash.load import Notes, Writer, check
from harness import aws
from harness.http import digest_of, pseudo_random
from harness.server import Server
from harness.tools import tail, wait_until

WRITERS = 4
# The longest wait between the last counted acknowledgement and the kill, in seconds.
DELAY_SECONDS_MAX = 0.03
# How many acknowledgements a round lasts at most.
ROUND_MAX = 60
# Earlier blobs are read back only now and then; every round they would dominate the time.
FULL_CHECK_EVERY = 10


def test_sigkill_loses_nothing_acknowledged(own_server: Server, seed: int, request: pytest.FixtureRequest) -> None:
    points = int(request.config.getoption("--points"))
    chance = random.Random(seed)
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="crash")
    password = aws.registry_password(ecr)
    notes = [Notes("crash") for _ in range(WRITERS)]
    total = Notes("crash")

    for point in range(points):
        where = f"seed {seed}, point {point}"
        stop = threading.Event()
        registry = aws.Registry(own_server.host, password)
        writers = [Writer(registry, notes[n], f"w{n}", f"{seed}/{point}/{n}", stop) for n in range(WRITERS)]
        goal = sum(note.acknowledged for note in notes) + chance.randint(1, ROUND_MAX)
        for writer in writers:
            writer.start()

        def far_enough() -> bool:
            done = sum(note.acknowledged for note in notes) >= goal
            return done or not any(writer.is_alive() for writer in writers)

        wait_until(far_enough, 120, f"{where}: acknowledgements")
        threading.Event().wait(chance.random() * DELAY_SECONDS_MAX)
        own_server.kill()
        stop.set()
        for writer in writers:
            writer.join(120)
            assert not writer.is_alive(), f"{where}: a writer hangs on a dead server"
            if writer.failure is not None:
                raise AssertionError(
                    f"{where}: a push failed before the kill: {writer.failure}\n{tail(own_server.log)}"
                )

        own_server.start()
        merge(total, notes)
        try:
            check(own_server, total, blobs=(point % FULL_CHECK_EVERY == 0 or point == points - 1))
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}\n{tail(own_server.log)}") from None
        hand_back(total, notes)

    own_server.check_log()
    assert total.manifests, "nothing was acknowledged: the test tested nothing"
    print(f"seed {seed}: {points} kills, {len(total.blobs)} blobs, {len(total.manifests)} manifests")


def merge(total: Notes, notes: list[Notes]) -> None:
    """Adds what the writers noted to what the server has to keep."""
    for note in notes:
        total.blobs.update(note.blobs)
        total.manifests.update(note.manifests)
        total.sent.update(note.sent)
        total.tags.update(note.tags)
        total.perhaps.update({tag: set(digests) for tag, digests in note.perhaps.items()})


def hand_back(total: Notes, notes: list[Notes]) -> None:
    """Tells the writers what the check settled about tags."""
    for note in notes:
        for tag in list(note.perhaps):
            note.perhaps[tag] = set()
            if tag in total.tags:
                note.tags[tag] = total.tags[tag]


def test_leftovers_of_uploads_are_gone_after_a_start(own_server: Server) -> None:
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="leftovers")
    registry = aws.registry(own_server, ecr)
    image = registry.push_small_image("leftovers", "v1", "kept", layers=2)
    own_server.restart()
    before = files(own_server.data)

    # Unlike anything an upload would share a file or a name with.
    chunk = pseudo_random("leftover", 3_000_000)
    targets = []
    for _ in range(4):
        target = registry.start_upload("leftovers")
        registry.push_chunk(target, chunk, start=0).expect(201, 202)
        targets.append(target)
    during = files(own_server.data)
    assert sum(during.values()) - sum(before.values()) > 2 * len(chunk), "uploads are staged somewhere else"
    own_server.kill()
    own_server.start()

    # Clean-up may take its time after the start, but has to come by itself.
    limit = sum(before.values()) + len(chunk)
    wait_until(lambda: sum(files(own_server.data).values()) < limit, 60, "leftovers of uploads removed")
    for target in targets:
        answer = registry.finish_upload(target, "sha256:" + "0" * 64)
        answer.expect_error(404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.get_manifest("leftovers", "v1").body == image.manifest


def files(directory: Path) -> dict[str, int]:
    """Every file below a directory with its size; files may vanish meanwhile."""
    found = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            path = Path(parent) / name
            try:
                found[str(path)] = path.stat().st_size
            except FileNotFoundError:
                continue
    return found


@pytest.mark.parametrize("cut_after", [1, 1000, 70_000, 900_000])
def test_a_cut_upload_is_not_a_blob(own_server: Server, cut_after: int) -> None:
    """The client dies instead of the server: half a body is no chunk, and the upload goes on or is gone."""
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="cut")
    registry = aws.registry(own_server, ecr)
    content = pseudo_random("cut", 1_000_000)
    target = registry.start_upload("cut")
    digest = digest_of(content)

    def body():  # type: ignore[no-untyped-def]
        yield content[:cut_after]
        raise ConnectionAbortedError("the client went away")

    with pytest.raises(ConnectionAbortedError):
        registry.send("PUT", f"{target}?digest={digest}", body=body())
    registry.send("HEAD", f"/v2/cut/blobs/{digest}").expect(404)
    registry.push_blob("cut", content).expect(201)
    assert registry.get_blob("cut", digest).body == content
