"""Real images, built on the spot from the files of installed Debian packages.

Layers are tar archives with fixed times and owners, so an image built twice has the same digests.
An image can be written as an OCI layout (skopeo, podman, buildah, raw uploads) and as an archive
that `docker load` reads.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any, Iterable

from .http import CONFIG_TYPE, INDEX_TYPE, MANIFEST_TYPE, descriptor, digest_of
from .tools import run

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER_TYPE = LAYER_TYPE + "+gzip"
EPOCH = 1_700_000_000
CREATED = "2023-11-14T22:13:20Z"

# One layer per package; together they run a shell pipeline, which needs every one of them.
TEN_LAYERS = (
    "base-files",
    "libc6",
    "libtinfo6",
    "bash",
    "libpcre2-8-0",
    "grep",
    "libselinux1",
    "libacl1",
    "sed",
    "gzip",
)
PIPELINE = "echo harbour | sed s/bour/vest/ | gzip | gzip -d | grep harvest"

# Packages big enough for one layer of 150 MB and more.
BIG_PACKAGES = ("docker.io", "podman", "buildah", "skopeo")
BIG_BYTES = 150_000_000

# Debian's merged /usr, as the first layer of an image must create it.
MERGED_USR = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer: its archive as stored, and the digest of the plain archive."""

    stored: bytes
    media_type: str
    diff_id: str


@dataclasses.dataclass(frozen=True)
class Image:
    """A built image of one platform."""

    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes
    architecture: str

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """Everything the manifest refers to, configuration first."""
        return (self.config, *(layer.stored for layer in self.layers))


class Archive:
    """A tar archive under construction."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.GNU_FORMAT)
        # docker refuses a layer that names a path twice, and packages share directories.
        self._names: set[str] = set()

    def add(self, name: str, content: bytes, mode: int = 0o644) -> Archive:
        """Adds a file."""
        entry = self._entry(name, tarfile.REGTYPE, mode)
        entry.size = len(content)
        self._append(entry, io.BytesIO(content))
        return self

    def link(self, name: str, target: str) -> Archive:
        """Adds a symbolic link."""
        entry = self._entry(name, tarfile.SYMTYPE, 0o777)
        entry.linkname = target
        self._append(entry)
        return self

    def directory(self, name: str, mode: int = 0o755) -> Archive:
        """Adds a directory."""
        self._append(self._entry(name, tarfile.DIRTYPE, mode))
        return self

    def installed(self, path: str) -> int:
        """Adds an installed file, link or directory under its real name; returns its size."""
        name = real_name(path)
        status = os.lstat(path)
        if os.path.islink(path):
            self.link(name, os.readlink(path))
        elif os.path.isdir(path):
            if name not in MERGED_USR:
                self.directory(name, status.st_mode & 0o7777)
        else:
            self.add(name, Path(path).read_bytes(), status.st_mode & 0o777)
            return status.st_size
        return 0

    def finish(self) -> bytes:
        """The archive's bytes."""
        self._tar.close()
        return self._buffer.getvalue()

    def _append(self, entry: tarfile.TarInfo, content: io.BytesIO | None = None) -> None:
        if entry.name not in self._names:
            self._names.add(entry.name)
            self._tar.addfile(entry, content)

    @staticmethod
    def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.mode = mode
        entry.mtime = EPOCH
        return entry


def real_name(path: str) -> str:
    """A path's name in an archive, through /bin and its like but not through a final link."""
    parent, name = os.path.split(path.rstrip("/"))
    return os.path.join(os.path.realpath(parent), name).lstrip("/")


def layer(archive: bytes, *, compressed: bool = True) -> Layer:
    """A layer from a plain archive."""
    diff_id = digest_of(archive)
    if not compressed:
        return Layer(archive, LAYER_TYPE, diff_id)
    return Layer(gzip.compress(archive, 6, mtime=0), GZIP_LAYER_TYPE, diff_id)


def image(layers: Iterable[Layer], *, architecture: str = "amd64", command: list[str], **settings: Any) -> Image:
    """An OCI image over layers."""
    layers = tuple(layers)
    config = json.dumps(
        {
            "created": CREATED,
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": command, **settings},
            "rootfs": {"type": "layers", "diff_ids": [entry.diff_id for entry in layers]},
            "history": [{"created": CREATED, "created_by": f"layer {n}"} for n in range(len(layers))],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(config, CONFIG_TYPE),
            "layers": [descriptor(entry.stored, entry.media_type) for entry in layers],
        },
        indent=3,
    ).encode()
    return Image(layers, config, manifest, architecture)


# --- the images of the suite


def package_files(package: str) -> list[str]:
    """The paths of an installed package, without documentation."""
    listed = run("dpkg-query", "-L", package).stdout.splitlines()
    skipped = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info")
    return [path for path in listed if path != "/." and os.path.lexists(path) and not path.startswith(skipped)]


def busybox_layer(marker: str) -> Layer:
    """A root file system of one static binary, and a file that tells images apart."""
    archive = Archive().directory("bin").directory("etc").directory("tmp", 0o1777)
    archive.add("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
    for applet in ("sh", "cat", "echo", "sleep", "ls", "sha256sum"):
        archive.link(f"bin/{applet}", "busybox")
    archive.add("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    archive.add("etc/marker", marker.encode() + b"\n")
    return layer(archive.finish())


def busybox_image(marker: str, *, architecture: str = "amd64") -> Image:
    """Prints its marker when run."""
    return image([busybox_layer(marker)], architecture=architecture, command=["/bin/cat", "/etc/marker"])


def ten_layer_image() -> Image:
    """Ten Debian packages, one layer each; running it prints `harvest`."""
    layers = []
    for number, package in enumerate(TEN_LAYERS):
        archive = Archive()
        if number == 0:
            for name, target in MERGED_USR.items():
                archive.directory(target).link(name, target)
            archive.directory("tmp", 0o1777)
        for path in package_files(package):
            archive.installed(path)
        layers.append(layer(archive.finish()))
    return image(layers, command=["/bin/bash", "-c", PIPELINE])


def big_image() -> Image:
    """A busybox image over an uncompressed layer of at least `BIG_BYTES`."""
    archive = Archive()
    total = 0
    for package in BIG_PACKAGES:
        for path in package_files(package):
            total += archive.installed(path)
        if total >= BIG_BYTES:
            break
    assert total >= BIG_BYTES, f"the packages hold only {total} bytes"
    big = layer(archive.finish(), compressed=False)
    return image([big, busybox_layer("big")], command=["/bin/ls", "/usr/sbin/dockerd"])


# --- files on disk


def write_layout(directory: Path, tag: str, *images: Image) -> str:
    """Writes an OCI layout with one tag: an image, or an index over several. Returns the digest."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def keep(content: bytes) -> None:
        (blobs / digest_of(content).partition(":")[2]).write_bytes(content)

    for entry in images:
        for blob in (*entry.blobs, entry.manifest):
            keep(blob)
    if len(images) == 1:
        top = descriptor(images[0].manifest, MANIFEST_TYPE)
    else:
        index = index_of(*images)
        keep(index)
        top = descriptor(index, INDEX_TYPE)
    top["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return str(top["digest"])


def index_of(*images: Image) -> bytes:
    """An OCI index over images of several platforms."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [
                descriptor(entry.manifest, MANIFEST_TYPE, platform={"os": "linux", "architecture": entry.architecture})
                for entry in images
            ],
        },
        indent=3,
    ).encode()


def write_docker_archive(path: Path, name: str, built: Image) -> None:
    """Writes what `docker load` reads; its layers are plain archives, which docker compresses itself."""
    archive = Archive()
    config_name = digest_of(built.config).partition(":")[2] + ".json"
    archive.add(config_name, built.config)
    names = []
    for entry in built.layers:
        plain = gzip.decompress(entry.stored) if entry.media_type == GZIP_LAYER_TYPE else entry.stored
        names.append(entry.diff_id.partition(":")[2] + "/layer.tar")
        archive.add(names[-1], plain)
    archive.add("manifest.json", json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": names}]).encode())
    path.write_bytes(archive.finish())
