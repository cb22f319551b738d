"""A small data directory as an earlier release left it, kept as an archive in `fixtures`.

A release that changes what is stored adds the archive of the release before it:
`PYTHONPATH=tests/clients python -m harness.old_store BINARY NAME`, with the binary of that release.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

from . import aws
from .http import INDEX_TYPE, SmallImage, image_index, pseudo_random, small_image
from .server import Server

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"

REPOSITORY = "team/app"
# One blob that has an object of its own; all others are kept in metadata.
LARGE = pseudo_random("a layer with an object of its own", 66_000)


def images() -> dict[str, SmallImage]:
    """The images in the archive, by tag."""
    return {f"v{number}": small_image(f"release {number}", layers=2) for number in range(4)}


def index() -> bytes:
    """The index in the archive, tagged `all`."""
    return image_index(*images().values())


def fill(server: Server) -> None:
    """Pushes what the archive holds: images, an index, a referrer, a moved tag, garbage, an upload."""
    ecr = aws.client(server)
    ecr.create_repository(
        repositoryName=REPOSITORY,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "latest*"}],
        tags=[{"Key": "team", "Value": "fixtures"}],
    )
    registry = aws.registry(server, ecr)
    for tag, image in images().items():
        for blob in image.blobs:
            registry.push_blob(REPOSITORY, blob).expect(201)
        registry.push_manifest(REPOSITORY, tag, image.manifest).expect(201)
        registry.push_manifest(REPOSITORY, "latest", image.manifest).expect(201)
    registry.push_manifest(REPOSITORY, "all", index(), INDEX_TYPE).expect(201)
    registry.push_blob(REPOSITORY, LARGE).expect(201)
    registry.push_small_image(REPOSITORY, "gone", "garbage")
    ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "gone"}])
    registry.push_chunk(registry.start_upload(REPOSITORY), pseudo_random("an upload", 5000), 0).expect(201, 202)


def unpack(name: str, into: Path) -> Path:
    """The data directory of an archive."""
    with tarfile.open(FIXTURES / f"{name}.tar.xz") as archive:
        archive.extractall(into)
    (into / "data").chmod(0o700)
    return into / "data"


def make(binary: Path, name: str) -> None:
    """Makes an archive with the binary of a release."""
    with tempfile.TemporaryDirectory() as directory:
        server = Server(binary, Path(directory)).start()
        fill(server)
        server.stop()
        with tarfile.open(FIXTURES / f"{name}.tar.xz", "w:xz") as archive:
            archive.add(server.data, "data")


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), sys.argv[2])
