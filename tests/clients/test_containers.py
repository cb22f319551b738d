"""skopeo, podman and buildah on private storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import aws, image
from harness.engine import Containers
from harness.http import INDEX_TYPE, MANIFEST_TYPE, Registry, digest_of
from harness.server import Server


def push_layout(containers: Containers, directory: Path, reference: str, *images: image.Image) -> str:
    """Pushes built images byte for byte with skopeo; returns the digest of what the tag names."""
    digest = image.write_layout(directory, "built", *images)
    every = ("--all",) if len(images) > 1 else ()
    containers.skopeo(
        "copy", *every, "--preserve-digests", f"oci:{directory}:built", f"docker://{reference}", seconds=600
    )
    return digest


# --- skopeo


def test_skopeo_round_trip(
    server: Server, containers: Containers, ecr: Any, repository: str, ten_layers: image.Image, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:v1"
    digest = push_layout(containers, tmp_path / "in", reference, ten_layers)
    assert digest == ten_layers.digest
    assert digest_of(containers.raw_manifest(reference)) == digest
    inspected = json.loads(containers.skopeo("inspect", f"docker://{reference}").stdout)
    assert (inspected["Digest"], len(inspected["Layers"]), inspected["RepoTags"]) == (digest, 10, ["v1"])

    containers.skopeo("copy", "--preserve-digests", f"docker://{reference}", f"oci:{tmp_path / 'out'}:v1")
    for blob in (*ten_layers.blobs, ten_layers.manifest):
        name = digest_of(blob).partition(":")[2]
        assert (tmp_path / "out" / "blobs" / "sha256" / name).read_bytes() == blob

    assert containers.skopeo("list-tags", f"docker://{server.host}/{repository}").stdout.count('"v1"') == 1
    containers.skopeo("delete", f"docker://{reference}")
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_skopeo_big_layer(
    server: Server, containers: Containers, registry: Registry, repository: str, big: image.Image, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:big"
    push_layout(containers, tmp_path / "in", reference, big)
    layer = big.layers[0].stored
    assert len(layer) > image.BIG_BYTES
    answer = registry.get_blob(repository, digest_of(layer)).expect(200)
    assert digest_of(answer.body) == digest_of(layer)
    tail = registry.get_blob(repository, digest_of(layer), Range="bytes=-1000000").expect(206)
    assert tail.body == layer[-1_000_000:]


def test_skopeo_copies_an_index(
    server: Server, containers: Containers, ecr: Any, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    arm = image.busybox_image("arm", architecture="arm64")
    reference = f"{server.host}/{repository}:multi"
    digest = push_layout(containers, tmp_path / "in", reference, busybox, arm)
    assert digest == digest_of(image.index_of(busybox, arm))

    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    copy = f"{server.host}/{other}:multi"
    containers.skopeo("copy", "--all", "--preserve-digests", f"docker://{reference}", f"docker://{copy}")
    assert containers.raw_manifest(copy) == containers.raw_manifest(reference)
    details = ecr.describe_images(repositoryName=other)["imageDetails"]
    assert {entry["imageDigest"]: entry["imageManifestMediaType"] for entry in details} == {
        digest: INDEX_TYPE,
        busybox.digest: MANIFEST_TYPE,
        arm.digest: MANIFEST_TYPE,
    }


def test_skopeo_sync(
    server: Server,
    containers: Containers,
    ecr: Any,
    registry: Registry,
    repository: str,
    busybox: image.Image,
    tmp_path: Path,
) -> None:
    push_layout(containers, tmp_path / "in", f"{server.host}/{repository}:v1", busybox)
    manifest = registry.get_manifest(repository, "v1").body
    registry.push_manifest(repository, "v2", manifest).expect(201)
    target = tmp_path / "mirror"
    target.mkdir()
    containers.skopeo("sync", "--src", "docker", "--dest", "dir", f"{server.host}/{repository}", target)
    stem = repository.rpartition("/")[2]
    for tag in ("v1", "v2"):
        assert (target / f"{stem}:{tag}" / "manifest.json").read_bytes() == manifest


def test_login_is_checked(server: Server, containers: Containers, tmp_path: Path) -> None:
    alone = Containers(tmp_path / "alone")
    alone.trust(server.host)
    for tool in ("skopeo", "podman", "buildah"):
        alone.login(server.host, "not-a-token", tool=tool, status=-1)
    out = alone.skopeo("inspect", f"docker://{server.host}/any:v1", status=-1)
    assert "authentication required" in out.text or "unauthorized" in out.text, str(out)
    for tool in ("skopeo", "podman", "buildah"):
        out = alone.login(server.host, aws.registry_password(aws.client(server)), tool=tool)
        assert "Login Succeeded" in out.text, str(out)
    alone.close()


# --- podman


def test_podman(
    server: Server, containers: Containers, ecr: Any, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    first, second = (f"{server.host}/{repository}:{tag}" for tag in ("v1", "v2"))
    push_layout(containers, tmp_path / "in", first, busybox)
    containers.podman("pull", first)
    assert containers.podman("run", "--rm", first).stdout.strip() == "busybox"
    inspected = json.loads(containers.podman("image", "inspect", first).stdout)[0]
    assert inspected["Digest"] == busybox.digest

    digest_file = tmp_path / "digest"
    containers.podman("tag", first, second)
    containers.podman("push", "--digestfile", digest_file, second)
    pushed = digest_file.read_text().strip()
    tags = {entry["imageTag"]: entry["imageDigest"] for entry in ecr.list_images(repositoryName=repository)["imageIds"]}
    assert tags["v2"] == pushed
    containers.podman("image", "rm", "--force", first, second)
    pinned = f"{server.host}/{repository}@{pushed}"
    assert containers.podman("run", "--rm", "--pull", "always", pinned).stdout.strip() == "busybox"


def test_podman_ten_layers(
    server: Server, containers: Containers, repository: str, ten_layers: image.Image, tmp_path: Path
) -> None:
    reference = f"{server.host}/{repository}:ten"
    push_layout(containers, tmp_path / "in", reference, ten_layers)
    assert containers.podman("run", "--rm", reference).stdout.strip() == "harvest"


def test_podman_on_a_named_host(
    server: Server, containers: Containers, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    containers.login(server.registry_name, aws.registry_password(aws.client(server)), tool="podman")
    push_layout(containers, tmp_path / "in", f"{server.registry_name}/{repository}:v1", busybox)
    assert containers.podman("run", "--rm", f"{server.registry_name}/{repository}:v1").stdout.strip() == "busybox"


def test_podman_says_what_is_missing(server: Server, containers: Containers) -> None:
    out = containers.podman("pull", f"{server.host}/podman/nowhere:v1", status=-1)
    assert "The repository with name 'podman/nowhere' does not exist" in out.text or "name unknown" in out.text, str(
        out
    )


# --- buildah


@pytest.mark.parametrize("media_type", ["oci", "docker"])
def test_buildah_builds_and_pushes(
    server: Server, containers: Containers, repository: str, busybox: image.Image, tmp_path: Path, media_type: str
) -> None:
    base = f"{server.host}/{repository}:base"
    derived = f"{server.host}/{repository}:{media_type}"
    push_layout(containers, tmp_path / "in", base, busybox)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f'FROM {base}\nRUN echo built > /etc/built\nCMD ["/bin/cat", "/etc/built"]\n')
    containers.buildah("build", "--format", media_type, "--tag", derived, context)
    digest_file = tmp_path / "digest"
    containers.buildah(
        "push", "--format", {"oci": "oci", "docker": "v2s2"}[media_type], "--digestfile", digest_file, derived
    )
    assert digest_of(containers.raw_manifest(derived)) == digest_file.read_text().strip()
    containers.podman("image", "rm", "--force", derived)
    assert containers.podman("run", "--rm", derived).stdout.strip() == "built"


def test_buildah_manifest(server: Server, containers: Containers, ecr: Any, repository: str, tmp_path: Path) -> None:
    parts = []
    for architecture in ("amd64", "arm64"):
        reference = f"{server.host}/{repository}:{architecture}"
        built = image.busybox_image(f"buildah {architecture}", architecture=architecture)
        push_layout(containers, tmp_path / architecture, reference, built)
        parts.append((reference, built))
    local = f"index-{repository.rpartition('-')[2]}"
    containers.buildah("manifest", "create", local)
    for reference, _ in parts:
        containers.buildah("manifest", "add", local, f"docker://{reference}")
    several = f"{server.host}/{repository}:multi"
    containers.buildah("manifest", "push", "--all", "--format", "oci", local, f"docker://{several}")
    listed = json.loads(containers.raw_manifest(several))
    assert [(entry["platform"]["architecture"], entry["digest"]) for entry in listed["manifests"]] == [
        (built.architecture, built.digest) for _, built in parts
    ]
    assert containers.podman("run", "--rm", several).stdout.strip() == "buildah amd64"
    details = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "multi"}])["imageDetails"]
    assert details[0]["imageManifestMediaType"] == INDEX_TYPE
    containers.buildah("manifest", "rm", local)


def test_zstd_layers(
    server: Server, containers: Containers, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    digest = image.write_layout(tmp_path / "in", "built", busybox)
    reference = f"{server.host}/{repository}:zstd"
    source = f"oci:{tmp_path / 'in'}:built"
    containers.skopeo("copy", "--dest-compress-format", "zstd", "--dest-compress", source, f"docker://{reference}")
    assert containers.podman("run", "--rm", reference).stdout.strip() == "busybox"
    assert digest
