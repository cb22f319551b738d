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
from typing import Iterator

import pytest

from crash.load import CUT, Notes, Writer, check
from harness import aws
from harness.http import digest_of, pseudo_random, target_of
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

        def far_enough(goal: int = goal, writers: list[Writer] = writers) -> bool:
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


def test_an_upload_goes_on_after_a_kill(own_server: Server) -> None:
    """What a reply acknowledged of an unfinished upload is there; what was under way is not in its way."""
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="resumed")
    registry = aws.registry(own_server, ecr)
    process = own_server.process
    assert process is not None
    content = pseudo_random("resumed", 3_000_000)
    first = 1_100_000
    target = target_of(registry.push_chunk(registry.start_upload("resumed"), content[:first], start=0).expect(201, 202))

    def body() -> Iterator[bytes]:
        yield pseudo_random("never acknowledged", 900_000)
        process.kill()
        yield b"more"

    with pytest.raises(CUT):
        registry.push_chunk(target, body())
        raise ConnectionError("the kill came after the last byte")
    own_server.kill()
    own_server.start()

    answer = registry.send("GET", target).expect(204)
    assert answer.headers["Range"] == f"0-{first - 1}"
    target = target_of(registry.push_chunk(target, content[first:], start=first).expect(201, 202))
    registry.finish_upload(target, digest_of(content)).expect(201)
    assert registry.get_blob("resumed", digest_of(content)).expect(200).body == content


def test_leftovers_of_uploads_are_removed(own_server: Server) -> None:
    """A kill must not turn staged bytes into bytes nobody names."""
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="leftovers")
    registry = aws.registry(own_server, ecr)
    image = registry.push_small_image("leftovers", "v1", "kept", layers=2)
    own_server.restart()
    before = sum(files(own_server.data).values())

    chunk = pseudo_random("leftover", 3_000_000)
    targets = []
    for _ in range(4):
        target = registry.start_upload("leftovers")
        targets.append(target_of(registry.push_chunk(target, chunk, start=0).expect(201, 202)))
    staged = sum(files(own_server.data).values()) - before
    assert staged > 3 * len(chunk), f"only {staged} bytes were staged: look elsewhere"
    own_server.kill()
    own_server.start()
    for target in targets:
        # An upload that the restart itself removed is as good.
        registry.send("DELETE", target).expect(204, 404)
        registry.finish_upload(target, digest_of(chunk)).expect_error(404, "BLOB_UPLOAD_UNKNOWN")
    wait_until(
        lambda: sum(files(own_server.data).values()) < before + len(chunk),
        60,
        "the staged bytes of four uploads removed",
    )
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

    def body() -> Iterator[bytes]:
        yield content[:cut_after]
        raise ConnectionAbortedError("the client went away")

    with pytest.raises(ConnectionAbortedError):
        registry.send("PUT", f"{target}?digest={digest}", body=body())
    registry.send("HEAD", f"/v2/cut/blobs/{digest}").expect(404)
    registry.push_blob("cut", content).expect(201)
    assert registry.get_blob("cut", digest).body == content
