"""What builders and signers push beside images, transfers that are cut off, and clients that dawdle."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from harness import aws, image
from harness.engine import Containers
from harness.http import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Registry,
    descriptor,
    digest_of,
    pseudo_random,
)
from harness.server import Server

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


def document(**members: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **members}).encode()


def push(registry: Registry, repository: str, reference: str, manifest: bytes, media_type: str, *blobs: bytes) -> None:
    for blob in blobs:
        registry.push_blob(repository, blob).expect(201)
    answer = registry.push_manifest(repository, reference, manifest, media_type).expect(201)
    assert answer.headers["Docker-Content-Digest"] == digest_of(manifest)
    assert registry.get_manifest(repository, reference).expect(200).body == manifest


# --- what is pushed beside images


def test_a_build_cache(registry: Registry, ecr: Any, repository: str) -> None:
    """BuildKit's registry cache, as an index (its default) and as an image manifest."""
    layer, config = pseudo_random(repository, 10_000), b'{"layers":[{"blob":"x"}],"records":[]}'
    cache_type = "application/vnd.buildkit.cacheconfig.v0"
    image_form = document(
        mediaType=MANIFEST_TYPE,
        config=descriptor(config, cache_type),
        layers=[descriptor(layer, LAYER_TYPE + "+gzip")],
    )
    push(registry, repository, "cache", image_form, MANIFEST_TYPE, layer, config)
    details = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "cache"}])["imageDetails"]
    assert details[0]["artifactMediaType"] == cache_type


def test_attestations_of_a_build(registry: Registry, containers: Containers, server: Server, repository: str) -> None:
    """An index as `docker buildx build --provenance` makes it: an image, and a manifest of no platform."""
    built = registry.push_small_image(repository, "part", repository)
    statement = json.dumps({"predicateType": "https://slsa.dev/provenance/v1"}).encode()
    config = b'{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]},"config":{}}'
    attestation = document(
        mediaType=MANIFEST_TYPE,
        config=descriptor(config, CONFIG_TYPE),
        layers=[
            descriptor(statement, "application/vnd.in-toto+json")
            | {"annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}}
        ],
    )
    push(registry, repository, digest_of(attestation), attestation, MANIFEST_TYPE, statement, config)
    index = document(
        mediaType=INDEX_TYPE,
        manifests=[
            descriptor(built.manifest, MANIFEST_TYPE) | {"platform": {"os": "linux", "architecture": "amd64"}},
            descriptor(attestation, MANIFEST_TYPE)
            | {
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.digest": built.digest,
                    "vnd.docker.reference.type": "attestation-manifest",
                },
            },
        ],
    )
    push(registry, repository, "latest", index, INDEX_TYPE)
    assert containers.raw_manifest(f"{server.host}/{repository}:latest") == index
    registry.send("DELETE", f"/v2/{repository}/manifests/{digest_of(attestation)}").expect_error(409, "DENIED")


def test_signatures_by_referrer_and_by_tag(registry: Registry, ecr: Any, repository: str) -> None:
    """As cosign and notation store them: as a referrer, and under a tag made of the digest."""
    signed = registry.push_small_image(repository, "v1", repository)
    payload = b'{"critical":{}}'
    notation = document(
        mediaType=MANIFEST_TYPE,
        artifactType="application/vnd.cncf.notary.signature",
        config=descriptor(EMPTY, EMPTY_TYPE),
        layers=[descriptor(payload, "application/jose+json")],
        subject=descriptor(signed.manifest, MANIFEST_TYPE),
        annotations={"io.cncf.notary.x509chain.thumbprint#S256": "[]"},
    )
    push(registry, repository, digest_of(notation), notation, MANIFEST_TYPE, payload, EMPTY)
    cosign = document(
        mediaType=MANIFEST_TYPE,
        config=descriptor(EMPTY, CONFIG_TYPE),
        layers=[descriptor(payload, "application/vnd.dev.cosign.simplesigning.v1+json")],
    )
    tag = signed.digest.replace(":", "-") + ".sig"
    push(registry, repository, tag, cosign, MANIFEST_TYPE)
    listed = registry.send("GET", f"/v2/{repository}/referrers/{signed.digest}").expect(200).json()["manifests"]
    assert [(entry["digest"], entry["artifactType"]) for entry in listed] == [
        (digest_of(notation), "application/vnd.cncf.notary.signature")
    ]
    found = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": signed.digest})["referrers"]
    assert [entry["digest"] for entry in found] == [digest_of(notation)]
    assert tag in registry.send("GET", f"/v2/{repository}/tags/list").json()["tags"]


# --- transfers that are cut off


def test_a_push_that_is_killed_is_repeated(
    server: Server, containers: Containers, registry: Registry, repository: str, big: image.Image, tmp_path: Path
) -> None:
    image.write_layout(tmp_path / "in", "built", big)
    reference = f"{server.host}/{repository}:big"
    words = ("copy", "--preserve-digests", f"oci:{tmp_path / 'in'}:built", f"docker://{reference}")
    for seconds in (0.2, 0.5):
        cut = containers.start_skopeo(*words)
        try:
            cut.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            cut.kill()
        cut.wait(timeout=60)
    containers.skopeo(*words, seconds=600)
    layer = big.layers[0].stored
    assert registry.get_blob(repository, digest_of(layer)).expect(200).body == layer


def test_a_pull_that_is_killed_is_repeated(
    server: Server, containers: Containers, repository: str, big: image.Image, tmp_path: Path
) -> None:
    image.write_layout(tmp_path / "in", "built", big)
    reference = f"docker://{server.host}/{repository}:big"
    containers.skopeo("copy", "--preserve-digests", f"oci:{tmp_path / 'in'}:built", reference, seconds=600)
    cut = containers.start_skopeo("copy", "--preserve-digests", reference, f"oci:{tmp_path / 'cut'}:big")
    try:
        cut.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        cut.kill()
    cut.wait(timeout=60)
    containers.skopeo("copy", "--preserve-digests", reference, f"oci:{tmp_path / 'cut'}:big", seconds=600)
    name = digest_of(big.layers[0].stored).partition(":")[2]
    assert (tmp_path / "cut" / "blobs" / "sha256" / name).read_bytes() == big.layers[0].stored


# --- clients that dawdle


def test_clients_that_never_finish_their_request_hold_nobody_up(
    server: Server, registry: Registry, repository: str
) -> None:
    registry.push_small_image(repository, "v1", repository)
    host, port = server.host.rsplit(":", 1)
    idle = []
    try:
        for number in range(200):
            connection = socket.create_connection((host, int(port)), timeout=10)
            connection.sendall(f"GET /v2/ HTTP/1.1\r\nHost: {server.host}\r\nX-{number}: ".encode())
            idle.append(connection)
        for _ in range(20):
            registry.get_manifest(repository, "v1").expect(200)
        # The server ends them by itself, with or without an answer.
        deadline = time.monotonic() + 90
        for connection in idle:
            connection.settimeout(max(1.0, deadline - time.monotonic()))
            while connection.recv(4096):
                pass
    finally:
        for connection in idle:
            connection.close()
