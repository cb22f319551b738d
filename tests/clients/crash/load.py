"""Concurrent pushes whose outcome is written down, and the check of a server against the notes.

Each writer repeats: push a few blobs, push a manifest, move a tag. What a reply acknowledged is
noted after the reply; what was asked but not acknowledged may have happened or not, but never half.
"""

from __future__ import annotations

import dataclasses
import http.client
import random
import threading

from harness import aws
from harness.http import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    Registry,
    digest_of,
    image_index,
    pseudo_random,
    small_image,
    target_of,
)
from harness.server import Server

# Around the limit under which a blob lives beside the metadata, and around one encryption chunk.
LAYER_SIZES = (1, 700, 65_535, 65_536, 65_537, 200_000, 1_500_000)
CUT = (OSError, http.client.HTTPException)


@dataclasses.dataclass
class Notes:
    """What one repository's writers asked for and what was acknowledged."""

    repository: str
    blobs: dict[str, bytes] = dataclasses.field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = dataclasses.field(default_factory=dict)
    # The digest a tag must name, and digests it may name instead, since the reply was cut off.
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    perhaps: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    # Every manifest that was ever sent, acknowledged or not, with the blobs it names.
    sent: dict[str, tuple[bytes, tuple[bytes, ...]]] = dataclasses.field(default_factory=dict)
    acknowledged: int = 0


class Writer(threading.Thread):
    """One client with tags of its own, so that what a tag must name is known."""

    def __init__(self, registry: Registry, notes: Notes, name: str, seed: str, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.registry = registry
        self.notes = notes
        self.tag = name
        self.random = random.Random(seed)
        self.seed = seed
        self.stop = stop
        self.failure: BaseException | None = None

    def run(self) -> None:
        number = 0
        try:
            while not self.stop.is_set():
                number += 1
                self.push(f"{self.seed}/{number}")
        except CUT:
            # The server went away, as it was meant to.
            return
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            self.failure = error

    def push(self, seed: str) -> None:
        """One image, by one of the ways clients upload."""
        size = self.random.choice(LAYER_SIZES)
        image = small_image(seed, layers=self.random.randint(1, 3), layer_bytes=size)
        for blob in image.blobs:
            self.upload(blob)
        if self.random.random() < 0.25:
            self.put(image.digest, image.manifest, MANIFEST_TYPE, image.blobs)
            index = image_index(image)
            self.put(self.tag, index, INDEX_TYPE, ())
        else:
            self.put(self.tag, image.manifest, MANIFEST_TYPE, image.blobs)
        if self.random.random() < 0.2:
            # Left open on purpose: leftovers of a crash.
            target = self.registry.start_upload(self.notes.repository)
            self.registry.push_chunk(target, pseudo_random(seed, size), start=0)

    def upload(self, blob: bytes) -> None:
        """Monolithic, chunked or streamed."""
        target = self.registry.start_upload(self.notes.repository)
        way = self.random.randrange(3)
        rest = blob
        if way == 1 and len(blob) > 2:
            half = len(blob) // 2
            target = target_of(self.registry.push_chunk(target, blob[:half], start=0).expect(201, 202))
            rest = blob[half:]
        elif way == 2:
            pieces = (blob[start : start + 8192] for start in range(0, len(blob), 8192))
            target = target_of(self.registry.push_chunk(target, pieces).expect(201, 202))
            rest = b""
        self.registry.finish_upload(target, digest_of(blob), rest).expect(201)
        self.notes.blobs[digest_of(blob)] = blob
        self.notes.acknowledged += 1

    def put(self, reference: str, manifest: bytes, media_type: str, blobs: tuple[bytes, ...]) -> None:
        """A manifest under a tag or its digest."""
        digest = digest_of(manifest)
        self.notes.sent[digest] = (manifest, blobs)
        if reference == self.tag:
            self.notes.perhaps.setdefault(self.tag, set()).add(digest)
        self.registry.push_manifest(self.notes.repository, reference, manifest, media_type).expect(201)
        self.notes.manifests[digest] = (manifest, media_type)
        if reference == self.tag:
            self.notes.tags[self.tag] = digest
            self.notes.perhaps[self.tag] = set()
        self.notes.acknowledged += 1


def check(server: Server, notes: Notes, *, blobs: bool = True) -> None:
    """Holds a running server against the notes."""
    ecr = aws.client(server)
    registry = aws.registry(server, ecr)
    repository = notes.repository

    for digest, (manifest, media_type) in notes.manifests.items():
        answer = registry.get_manifest(repository, digest, accept=media_type).expect(200)
        assert answer.body == manifest, f"manifest {digest} changed"
        assert answer.headers["Content-Type"] == media_type
    if blobs:
        for digest, content in notes.blobs.items():
            answer = registry.get_blob(repository, digest).expect(200)
            assert answer.body == content, f"blob {digest} changed: {len(answer.body)} of {len(content)} bytes"

    listed: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for page in ecr.get_paginator("list_images").paginate(repositoryName=repository):
        for entry in page["imageIds"]:
            listed.setdefault(entry["imageDigest"], set())
            if tag := entry.get("imageTag"):
                names[tag] = entry["imageDigest"]

    for tag, digest in notes.tags.items():
        allowed = {digest} | notes.perhaps.get(tag, set())
        assert names.get(tag) in allowed, f"tag {tag} names {names.get(tag)}, may name {allowed}"
        answer = registry.get_manifest(repository, tag).expect(200)
        assert digest_of(answer.body) == names[tag]
    for tag in names.keys() - notes.tags.keys():
        assert names[tag] in notes.perhaps.get(tag, set()), f"tag {tag} was never pushed"

    # What is visible without an acknowledgement must be whole.
    for digest in listed.keys() - notes.manifests.keys():
        assert digest in notes.sent, f"image {digest} was never pushed"
        manifest, parts = notes.sent[digest]
        assert registry.get_manifest(repository, digest).expect(200).body == manifest
        for part in parts:
            assert registry.get_blob(repository, digest_of(part)).expect(200).body == part
    described = [
        entry["imageDigest"]
        for page in ecr.get_paginator("describe_images").paginate(repositoryName=repository)
        for entry in page["imageDetails"]
    ]
    assert sorted(described) == sorted(listed), "DescribeImages and ListImages disagree"

    # From here on, what the server shows is what it has to keep.
    for tag, digest in names.items():
        notes.tags[tag] = digest
        notes.perhaps[tag] = set()
    for digest in listed:
        manifest, parts = notes.sent[digest]
        document_type = INDEX_TYPE if b'"manifests"' in manifest and not parts else MANIFEST_TYPE
        notes.manifests.setdefault(digest, (manifest, document_type))
