"""A bare OCI distribution client: it sends exactly what a test says, right or wrong."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"

TIMEOUT_SECONDS = 60


def digest_of(content: bytes) -> str:
    """The sha256 digest as registries write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclasses.dataclass(frozen=True)
class Response:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Code and message of each member of the OCI error envelope."""
        assert self.headers["Content-Type"].startswith("application/json"), str(self)
        return [(error["code"], error["message"]) for error in self.json()["errors"]]

    def expect(self, *statuses: int) -> Response:
        """Requires one of the statuses and shows the whole response otherwise."""
        assert self.status in statuses, f"expected {statuses}, got {self}"
        return self

    def expect_error(self, status: int, code: str, message: str | None = None) -> Response:
        """Requires one OCI error."""
        self.expect(status)
        assert self.errors[0][0] == code, str(self)
        if message is not None:
            assert self.errors[0][1] == message, str(self)
        return self

    def __str__(self) -> str:
        return f"HTTP {self.status}\n{self.headers}\n{self.body[:2000]!r}"


def send(
    host: str,
    method: str,
    target: str,
    *,
    headers: dict[str, str] | None = None,
    body: Any = None,
    host_header: str | None = None,
) -> Response:
    """One request on a connection of its own; `body` may be an iterable, which is sent chunked."""
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT_SECONDS)
    try:
        sent = dict(headers or {})
        if host_header is not None:
            sent["Host"] = host_header
        chunked = body is not None and not isinstance(body, (bytes, str))
        connection.request(method, target, body=body, headers=sent, encode_chunked=chunked)
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Registry:
    """The /v2/ side of one host with one authorization token."""

    def __init__(self, host: str, password: str | None, *, user: str = "AWS", host_header: str | None = None) -> None:
        self.host = host
        self.host_header = host_header
        self.authorization: str | None = None
        if password is not None:
            self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def send(self, method: str, target: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Response:
        """One request with the token, unless a test overrides the header."""
        sent = {"Authorization": self.authorization} if self.authorization else {}
        sent.update(headers or {})
        return send(self.host, method, target, headers=sent, body=body, host_header=self.host_header)

    # --- uploads

    def start_upload(self, repository: str) -> str:
        """Opens an upload and returns the target of its next request."""
        answer = self.send("POST", f"/v2/{repository}/blobs/uploads/").expect(202)
        return target_of(answer)

    def push_blob(self, repository: str, content: bytes, digest: str | None = None) -> Response:
        """A monolithic upload: POST, then PUT with everything."""
        target = self.start_upload(repository)
        return self.finish_upload(target, digest or digest_of(content), content)

    def finish_upload(self, target: str, digest: str, content: bytes = b"", **headers: str) -> Response:
        """The closing PUT."""
        separator = "&" if "?" in target else "?"
        sent = {"Content-Type": "application/octet-stream", **headers}
        return self.send("PUT", target + separator + urlencode({"digest": digest}), headers=sent, body=content)

    def push_chunk(self, target: str, content: Any, start: int | None = None) -> Response:
        """One PATCH; with `start` it names its range, without it streams."""
        headers = {"Content-Type": "application/octet-stream"}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + len(content) - 1}"
        return self.send("PATCH", target, headers=headers, body=content)

    # --- blobs and manifests

    def get_blob(self, repository: str, digest: str, **headers: str) -> Response:
        """A blob's bytes, through the redirect if there is one, as a client would."""
        answer = self.send("GET", f"/v2/{repository}/blobs/{digest}", headers=headers)
        if answer.status in (302, 307):
            parts = urlsplit(answer.headers["Location"])
            target = parts.path + ("?" + parts.query if parts.query else "")
            # Clients do not forward the token to the redirect's target.
            answer = send(parts.netloc, "GET", target, headers=headers)
        return answer

    def push_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str = MANIFEST_TYPE
    ) -> Response:
        """PUT of a manifest."""
        return self.send(
            "PUT", f"/v2/{repository}/manifests/{reference}", headers={"Content-Type": media_type}, body=content
        )

    def get_manifest(self, repository: str, reference: str, accept: str | None = None) -> Response:
        """GET of a manifest."""
        headers = {"Accept": accept or f"{MANIFEST_TYPE}, {INDEX_TYPE}"}
        return self.send("GET", f"/v2/{repository}/manifests/{reference}", headers=headers)

    def push_small_image(
        self, repository: str, reference: str, seed: str, layers: int = 1, **members: Any
    ) -> SmallImage:
        """Pushes an image whose every byte follows from the seed; returns what was acknowledged."""
        image = small_image(seed, layers, **members)
        for blob in image.blobs:
            self.push_blob(repository, blob).expect(201)
        answer = self.push_manifest(repository, reference or image.digest, image.manifest).expect(201)
        assert answer.headers["Docker-Content-Digest"] == image.digest
        return image


def target_of(answer: Response) -> str:
    """The path and query of a Location, which may be absolute or not."""
    parts = urlsplit(answer.headers["Location"])
    return parts.path + ("?" + parts.query if parts.query else "")


@dataclasses.dataclass(frozen=True)
class SmallImage:
    """An image held in memory."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


def descriptor(content: bytes, media_type: str, **members: Any) -> dict[str, Any]:
    """An OCI descriptor of some bytes."""
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **members}


def small_image(seed: str, layers: int = 1, layer_bytes: int = 2048, **members: Any) -> SmallImage:
    """A well-formed image manifest over pseudo-random blobs."""
    contents = [pseudo_random(f"{seed}/{number}", layer_bytes) for number in range(layers)]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"seed": seed}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(content) for content in contents]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(config, CONFIG_TYPE),
            "layers": [descriptor(content, LAYER_TYPE) for content in contents],
            **members,
        }
    ).encode()
    return SmallImage(manifest, (config, *contents))


def image_index(*children: SmallImage) -> bytes:
    """An OCI index over images, one platform variant each."""
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [
                descriptor(
                    child.manifest, MANIFEST_TYPE, platform={"os": "linux", "architecture": "arm64", "variant": f"v{n}"}
                )
                for n, child in enumerate(children)
            ],
        }
    ).encode()


def pseudo_random(seed: str, length: int) -> bytes:
    """Bytes that do not compress and depend on the seed alone."""
    return hashlib.shake_256(seed.encode()).digest(length)
