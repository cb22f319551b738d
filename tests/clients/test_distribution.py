"""What the distribution protocol has beyond a plain push and pull, with the clients that use it."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import aws, image
from harness.aws import failure
from harness.engine import Containers
from harness.http import Registry, descriptor, digest_of, image_index, pseudo_random, small_image, target_of
from harness.server import ACCOUNT, Server
from harness.tools import run

# --- account settings and mounting


@pytest.fixture
def mounting(ecr: Any) -> Iterator[None]:
    """Mounting, for one test."""
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    yield
    ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")


def test_account_settings(ecr: Any) -> None:
    for name, value in (
        ("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE"),
        ("REGISTRY_POLICY_SCOPE", "V2"),
        ("BLOB_MOUNTING", "DISABLED"),
    ):
        answer = ecr.get_account_setting(name=name)
        assert (answer["name"], answer["value"]) == (name, value)
        answer = ecr.put_account_setting(name=name, value=value)
        assert (answer["name"], answer["value"]) == (name, value)
    for parameters, field in (
        ({"name": "NOTHING", "value": "V2"}, "name"),
        ({"name": "BLOB_MOUNTING", "value": "V2"}, "value"),
    ):
        refused = failure(ecr.put_account_setting, **parameters)
        assert refused.code == "InvalidParameterException"
        assert f"Invalid parameter at '{field}'" in refused.message
    assert failure(ecr.get_account_setting, name="NOTHING").code == "InvalidParameterException"


def test_mount(registry: Registry, ecr: Any, repository: str, mounting: None) -> None:
    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    pushed = registry.push_small_image(repository, "v1", repository)
    for blob in pushed.blobs:
        query = f"mount={digest_of(blob)}&from={repository}"
        answer = registry.send("POST", f"/v2/{other}/blobs/uploads/?{query}").expect(201)
        assert target_of(answer) == f"/v2/{other}/blobs/{digest_of(blob)}"
        assert registry.get_blob(other, digest_of(blob)).expect(200).body == blob
    registry.push_manifest(other, "v1", pushed.manifest).expect(201)


def test_skopeo_mounts(
    server: Server, containers: Containers, ecr: Any, repository: str, busybox: image.Image, mounting: None, tmp_path: Path
) -> None:
    image.write_layout(tmp_path / "in", "built", busybox)
    source = f"docker://{server.host}/{repository}:v1"
    containers.skopeo("copy", "--preserve-digests", f"oci:{tmp_path / 'in'}:built", source)
    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    copied = containers.skopeo("copy", "--preserve-digests", source, f"docker://{server.host}/{other}:v1")
    assert "Writing manifest" in copied.stdout + copied.stderr
    assert ecr.describe_images(repositoryName=other)["imageDetails"][0]["imageDigest"] == busybox.digest


# --- deletion


def test_delete_a_blob(registry: Registry, repository: str) -> None:
    pushed = registry.push_small_image(repository, "v1", repository)
    layer = f"/v2/{repository}/blobs/{digest_of(pushed.blobs[1])}"
    registry.send("DELETE", layer).expect_error(409, "DENIED")
    registry.send("DELETE", f"/v2/{repository}/manifests/{pushed.digest}").expect(202)
    registry.send("DELETE", layer).expect(202)
    registry.send("DELETE", layer).expect_error(404, "BLOB_UNKNOWN")


def test_by_digest_every_tag_goes(
    server: Server, containers: Containers, ecr: Any, registry: Registry, repository: str
) -> None:
    for delete in (
        lambda digest: containers.skopeo("delete", f"docker://{server.host}/{repository}@{digest}"),
        lambda digest: ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": digest}]),
    ):
        pushed = registry.push_small_image(repository, "v1", repository)
        for tag in ("v2", "v3"):
            registry.push_manifest(repository, tag, pushed.manifest).expect(201)
        delete(pushed.digest)
        assert ecr.list_images(repositoryName=repository)["imageIds"] == []


# --- manifests


def test_many_tags_in_one_push(registry: Registry, repository: str) -> None:
    pushed = small_image(repository)
    for blob in pushed.blobs:
        registry.push_blob(repository, blob).expect(201)
    tags = [f"v{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    answer = registry.push_manifest(repository, f"{pushed.digest}?{query}", pushed.manifest).expect(201)
    assert answer.headers.get_all("OCI-Tag") == tags
    for tag in tags:
        assert registry.get_manifest(repository, tag).expect(200).body == pushed.manifest


def test_tags_of_similar_repositories_do_not_mix(registry: Registry, ecr: Any) -> None:
    stem = aws.unique_name("app")
    names = [stem, f"{stem}-old", f"{stem}/sub"]
    for name in names:
        ecr.create_repository(repositoryName=name)
        registry.push_small_image(name, name.rpartition("/")[2], name)
    for name in names:
        assert registry.send("GET", f"/v2/{name}/tags/list").json()["tags"] == [name.rpartition("/")[2]]


def test_a_chain_of_subjects_in_any_order(registry: Registry, repository: str) -> None:
    subject = small_image(repository)
    config = b"{}"
    registry.push_blob(repository, config).expect(201)

    def artifact(kind: str, of: bytes) -> bytes:
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": kind,
                "config": descriptor(config, "application/vnd.oci.empty.v1+json"),
                "layers": [descriptor(config, "application/vnd.oci.empty.v1+json")],
                "subject": descriptor(of, "application/vnd.oci.image.manifest.v1+json"),
            }
        ).encode()

    signature = artifact("application/signature", subject.manifest)
    countersignature = artifact("application/countersignature", signature)
    for manifest, of in ((countersignature, signature), (signature, subject.manifest)):
        answer = registry.push_manifest(repository, digest_of(manifest), manifest).expect(201)
        assert answer.headers["OCI-Subject"] == digest_of(of)
        assert digest_of(of) in answer.headers["Warning"]
    for of, manifest in ((signature, countersignature), (subject.manifest, signature)):
        listed = registry.send("GET", f"/v2/{repository}/referrers/{digest_of(of)}").expect(200).json()
        assert [entry["digest"] for entry in listed["manifests"]] == [digest_of(manifest)]
    filtered = registry.send("GET", f"/v2/{repository}/referrers/{subject.digest}?artifactType=application/none")
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert filtered.json()["manifests"] == []


def test_an_index_of_indexes_with_a_child_twice(registry: Registry, repository: str) -> None:
    child = registry.push_small_image(repository, "child", repository)
    inner = image_index(child, child)
    registry.push_manifest(repository, "inner", inner, "application/vnd.oci.image.index.v1+json").expect(201)
    outer = json.loads(inner) | {"manifests": [descriptor(inner, "application/vnd.oci.image.index.v1+json")] * 2}
    body = json.dumps(outer).encode()
    registry.push_manifest(repository, "outer", body, "application/vnd.oci.image.index.v1+json").expect(201)
    registry.send("DELETE", f"/v2/{repository}/manifests/{child.digest}").expect_error(409, "DENIED")


# --- transfers


def test_a_pull_goes_on_where_it_broke_off(registry: Registry, repository: str) -> None:
    content = pseudo_random(repository, 3_000_000)
    registry.push_blob(repository, content).expect(201)
    target = f"/v2/{repository}/blobs/{digest_of(content)}"
    got = b""
    for end in (1, 70_000, 1_048_576, 2_999_999):
        got += registry.send("GET", target, headers={"Range": f"bytes={len(got)}-{end}"}).expect(206).body
    got += registry.send("GET", target, headers={"Range": f"bytes={len(got)}-"}).expect(206).body if len(got) < 3_000_000 else b""
    assert got == content


def test_a_thousand_clients(registry: Registry, repository: str) -> None:
    pushed = registry.push_small_image(repository, "v1", repository)

    together = threading.Barrier(1000, timeout=120)

    def pull(_number: int) -> bool:
        together.wait()
        manifest = registry.get_manifest(repository, "v1").expect(200)
        layer = registry.get_blob(repository, digest_of(pushed.blobs[1])).expect(200)
        return manifest.body == pushed.manifest and layer.body == pushed.blobs[1]

    with concurrent.futures.ThreadPoolExecutor(max_workers=1000) as clients:
        assert all(clients.map(pull, range(1000)))


# --- other clients


def test_oras(server: Server, ecr: Any, repository: str, tmp_path: Path) -> None:
    (tmp_path / "artifact.txt").write_text("an artifact")
    script = """
import sys, oras.client
host, target, password = sys.argv[1:]
client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
client.auth.set_basic_auth("AWS", password)
client.push(target=target, files=["artifact.txt:text/plain"], manifest_annotations={"a": "b"})
found = client.pull(target=target, outdir="out")
assert len(found) == 1, found
assert "v1" in client.get_tags(target.rpartition(":")[0]), found
"""
    password = aws.registry_password(ecr)
    words = [sys.executable, "-c", script, server.host, f"{server.host}/{repository}:v1", password]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "artifact.txt").read_text() == "an artifact"


def test_umoci_images_go_through_skopeo(
    server: Server, containers: Containers, ecr: Any, repository: str, tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:v1")
    run("umoci", "config", "--image", f"{layout}:v1", "--config.label", "built=by-umoci")
    containers.skopeo("copy", f"oci:{layout}:v1", f"docker://{server.host}/{repository}:v1")
    inspected = json.loads(containers.skopeo("inspect", f"docker://{server.host}/{repository}:v1").stdout)
    assert (inspected["Labels"], inspected["Layers"]) == ({"built": "by-umoci"}, [])
    described = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert [entry["registryId"] for entry in described] == [ACCOUNT]
