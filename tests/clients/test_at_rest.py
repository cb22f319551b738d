"""Nothing a client sent in confidence can be read in the data directory."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Iterator

import pytest

from harness import aws
from harness.http import pseudo_random, small_image
from harness.server import ROOT_SECRET, Server

# Larger than what is kept in metadata, with a marker in every 4 KiB of it.
LARGE_BLOCKS = 64


def marker(name: str) -> bytes:
    """Thirty bytes that nothing else contains."""
    return pseudo_random(f"marker of {name}", 15).hex().encode()


def forms(text: bytes) -> list[bytes]:
    """A text as it is, as hexadecimal digits, and as Base64 at every alignment."""
    found = [text, text.hex().encode(), text.hex().upper().encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + text)
        # Characters that also depend on what stands before or after the text are left out.
        found.append(encoded[4 if shift else 0 : -4])
    return found


def files(data: Path) -> Iterator[Path]:
    """Every file but the credentials, which exist to be read by their owner."""
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.name != "credentials":
            yield path


def readable(data: Path, texts: dict[str, bytes]) -> set[tuple[str, str]]:
    """Which texts can be read in which files."""
    found = set()
    for path in files(data):
        content = path.read_bytes()
        found |= {(name, path.name) for name, text in texts.items() if any(form in content for form in forms(text))}
    return found


def large(name: str) -> bytes:
    """A layer with its marker again and again."""
    return b"".join(pseudo_random(f"{name} {block}", 4000) + marker(name) for block in range(LARGE_BLOCKS))


def push_everything(server: Server) -> dict[str, bytes]:
    """Pushes one of each kind and leaves an upload half done; returns what must not be readable."""
    ecr = aws.client(server)
    ecr.create_repository(repositoryName="app")
    password = aws.registry_password(ecr)
    registry = aws.registry(server, ecr)
    inline = marker("small layer") * 20
    registry.push_blob("app", large("layer")).expect(201)
    registry.push_blob("app", inline).expect(201)
    image = small_image("at rest", **{"x-unknown": marker("manifest").decode()})
    for blob in image.blobs:
        registry.push_blob("app", blob).expect(201)
    registry.push_manifest("app", "v1", image.manifest).expect(201)
    ecr.put_image(
        repositoryName="app",
        imageTag="v2",
        imageManifest=small_image("at rest", **{"x-unknown": marker("put image").decode()}).manifest.decode(),
    )
    target = registry.start_upload("app")
    registry.push_chunk(target, large("upload"), 0).expect(201, 202)
    registry.push_chunk(registry.start_upload("app"), marker("small upload") * 3, 0).expect(201, 202)
    return {
        "layer": marker("layer"),
        "small layer": marker("small layer"),
        "manifest": marker("manifest"),
        "put image": marker("put image"),
        "upload": marker("upload"),
        "small upload": marker("small upload"),
        "secret access key": ROOT_SECRET.encode(),
        "registry password": password.encode()[-60:],
    }


def test_nothing_is_readable_during_or_after_a_push(own_server: Server) -> None:
    texts = push_everything(own_server)
    assert readable(own_server.data, texts) == set(), "while the server runs"
    own_server.kill()
    assert readable(own_server.data, texts) == set(), "after a SIGKILL"
    own_server.start()
    own_server.restart()
    assert readable(own_server.data, texts) == set(), "after an orderly stop"
    ecr = aws.client(own_server)
    ecr.delete_repository(repositoryName="app", force=True)
    assert readable(own_server.data, texts) == set(), "after a deletion"


def test_only_the_owner_can_read_the_data_directory(own_server: Server) -> None:
    push_everything(own_server)
    for path in [own_server.data, *own_server.data.rglob("*")]:
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, f"others may use {path}"
    # The one file that may hold it is the one that hands it to its owner.
    assert ROOT_SECRET.encode() not in b"".join(path.read_bytes() for path in files(own_server.data))


def test_the_search_finds_what_is_not_sealed(binary: Path, tmp_path: Path) -> None:
    class Unsealed(Server):
        def command(self) -> list[str]:
            return [*super().command(), "--encrypt-at-rest=false"]

    server = Unsealed(binary, tmp_path / "server").start()
    try:
        texts = push_everything(server)
        found = {name for name, _ in readable(server.data, texts)}
    finally:
        server.close()
    assert {"layer", "small layer", "manifest", "put image"} <= found
    assert not {"secret access key", "registry password"} & found


@pytest.mark.parametrize("name", ["plain", "layer"])
def test_every_form_of_a_marker_is_found(tmp_path: Path, name: str) -> None:
    text = marker(name)
    encoded = [text, text.hex().encode(), *(base64.b64encode(b"x" * shift + text) for shift in range(3))]
    for number, content in enumerate(encoded):
        (tmp_path / "file").write_bytes(b"before" + content + b"after")
        assert readable(tmp_path, {name: text}) == {(name, "file")}, f"form {number}"
