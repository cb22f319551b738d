"""The OCI side, with requests no well-behaved tool would send."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from harness import aws
from harness.http import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
    Registry,
    descriptor,
    digest_of,
    image_index,
    pseudo_random,
    send,
    small_image,
    target_of,
)
from harness.server import ACCOUNT, Server

ABSENT = "sha256:" + "0" * 64
# ECR answers 201 to a PATCH, the OCI specification asks for 202; clients take both.
PATCHED = (201, 202)


def no_repository(name: str) -> str:
    return f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"


# --- authentication


CHALLENGED = [
    ("GET", "/v2/"),
    ("GET", "/v2/_catalog"),
    ("GET", "/v2/any/tags/list"),
    ("GET", "/v2/any/manifests/latest"),
    ("HEAD", "/v2/any/manifests/latest"),
    ("PUT", "/v2/any/manifests/latest"),
    ("DELETE", f"/v2/any/manifests/{ABSENT}"),
    ("GET", f"/v2/any/blobs/{ABSENT}"),
    ("POST", "/v2/any/blobs/uploads/"),
    ("GET", f"/v2/any/referrers/{ABSENT}"),
]


@pytest.mark.parametrize("method,target", CHALLENGED)
@pytest.mark.parametrize("authorization", [None, "Bearer abc", "AWS4-HMAC-SHA256 Credential=x"])
def test_challenge(server: Server, method: str, target: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = send(server.host, method, target, headers=headers).expect(401)
    assert answer.headers["WWW-Authenticate"] == f'Basic realm="{server.url}/",service="ecr.amazonaws.com"'
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    if method != "HEAD":
        assert answer.body == b"Not Authorized\n"


def test_the_challenge_names_the_host_that_was_asked(server: Server) -> None:
    answer = send(server.host, "GET", "/v2/", host_header=server.registry_name).expect(401)
    assert answer.headers["WWW-Authenticate"].startswith(f'Basic realm="http://{server.registry_name}/"')


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


REFUSED = {
    "another user": basic("root:password"),
    "password that is no token": basic("AWS:hunter2"),
    "empty password": basic("AWS:"),
    "no colon": basic("AWS"),
    "not base64": "Basic ***",
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_basic_credentials(server: Server, name: str) -> None:
    answer = send(server.host, "GET", "/v2/", headers={"Authorization": REFUSED[name]})
    assert answer.status in (400, 401, 403), str(answer)


def test_a_changed_token_is_refused(server: Server, ecr: Any) -> None:
    password = aws.registry_password(ecr)
    for position in (0, len(password) // 2, len(password) - 3):
        changed = password[:position] + ("A" if password[position] != "A" else "B") + password[position + 1 :]
        answer = Registry(server.host, changed).send("GET", "/v2/")
        assert answer.status in (400, 401, 403), f"position {position}: {answer}"


def test_version_check(registry: Registry) -> None:
    answer = registry.send("GET", "/v2/").expect(200)
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


def test_a_token_works_on_a_named_host(server: Server, ecr: Any, repository: str) -> None:
    named = Registry(server.host, aws.registry_password(ecr), host_header=server.registry_name)
    named.push_small_image(repository, "v1", repository)
    named.get_manifest(repository, "v1").expect(200)


def test_a_token_of_another_region_is_refused_on_a_named_host(server: Server, ecr: Any) -> None:
    other = server.registry_name.replace("us-east-1", "us-west-2")
    answer = Registry(server.host, aws.registry_password(ecr), host_header=other).send("GET", "/v2/")
    assert answer.status in (400, 401, 403), str(answer)


# --- what is not there


MISSING_REPOSITORY = [
    ("GET", "/v2/{r}/tags/list"),
    ("GET", "/v2/{r}/manifests/latest"),
    ("GET", "/v2/{r}/manifests/" + ABSENT),
    ("GET", "/v2/{r}/blobs/" + ABSENT),
    ("POST", "/v2/{r}/blobs/uploads/"),
    ("POST", "/v2/{r}/blobs/uploads/?mount=" + ABSENT + "&from=other"),
    ("DELETE", "/v2/{r}/manifests/" + ABSENT),
    ("GET", "/v2/{r}/referrers/" + ABSENT),
]


@pytest.mark.parametrize("name", ["nowhere", "deep/er/nowhere"])
@pytest.mark.parametrize("method,target", MISSING_REPOSITORY)
def test_unknown_repository(registry: Registry, method: str, target: str, name: str) -> None:
    registry.send(method, target.format(r=name)).expect_error(404, "NAME_UNKNOWN", no_repository(name))


def test_unknown_repository_for_a_manifest(registry: Registry) -> None:
    image = small_image("nowhere")
    registry.push_manifest("nowhere", "v1", image.manifest).expect_error(404, "NAME_UNKNOWN", no_repository("nowhere"))


MISSING = [
    ("GET", "manifests/absent", "MANIFEST_UNKNOWN"),
    ("GET", "manifests/" + ABSENT, "MANIFEST_UNKNOWN"),
    ("DELETE", "manifests/" + ABSENT, "MANIFEST_UNKNOWN"),
    ("GET", "blobs/" + ABSENT, "BLOB_UNKNOWN"),
    ("PATCH", "blobs/uploads/8b5c9d04-0000-4000-8000-000000000000", "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", "blobs/uploads/8b5c9d04-0000-4000-8000-000000000000?digest=" + ABSENT, "BLOB_UPLOAD_UNKNOWN"),
]


@pytest.mark.parametrize("method,target,code", MISSING)
def test_missing_in_a_repository(registry: Registry, repository: str, method: str, target: str, code: str) -> None:
    registry.send(method, f"/v2/{repository}/{target}").expect_error(404, code)


@pytest.mark.parametrize("target", ["manifests/absent", "blobs/" + ABSENT])
def test_head_of_what_is_missing_has_no_body(registry: Registry, repository: str, target: str) -> None:
    assert registry.send("HEAD", f"/v2/{repository}/{target}").expect(404).body == b""


UNSERVED = ["/v2/nothing-like-a-route", "/v2/a/b/c/unknown/thing", "/v2//manifests/latest", "/v2/a/../b/tags/list"]


@pytest.mark.parametrize("target", UNSERVED)
def test_paths_that_are_no_route(registry: Registry, target: str) -> None:
    registry.send("GET", target).expect(400, 404, 405)


# --- blobs


def test_a_blob_comes_back_whole(registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    for blob in image.blobs:
        digest = digest_of(blob)
        head = registry.send("HEAD", f"/v2/{repository}/blobs/{digest}").expect(200)
        assert head.headers["Content-Length"] == str(len(blob))
        assert head.headers["Docker-Content-Digest"] == digest
        assert head.body == b""
        assert registry.get_blob(repository, digest).expect(200).body == blob


# The blob has a size that is no multiple of any chunk the server may store it in.
RANGED_BYTES = 200_003
RANGES = [
    ("bytes=0-0", 206, slice(0, 1)),
    ("bytes=0-99", 206, slice(0, 100)),
    ("bytes=65535-65536", 206, slice(65535, 65537)),
    ("bytes=65536-131071", 206, slice(65536, 131072)),
    ("bytes=100000-", 206, slice(100_000, None)),
    ("bytes=200002-200002", 206, slice(200_002, None)),
    ("bytes=200002-999999", 206, slice(200_002, None)),
    ("bytes=-1", 206, slice(200_002, None)),
    ("bytes=-500", 206, slice(199_503, None)),
    ("bytes=-999999", 206, slice(0, None)),
    ("bytes=200003-", 416, None),
    ("bytes=999999-", 416, None),
    # A range that ends before it begins may be refused (RFC 9110, section 14.2).
    ("bytes=9-1", 416, None),
    # Ranges that are not understood are ignored.
    ("lines=0-1", 200, slice(0, None)),
    ("bytes=a-b", 200, slice(0, None)),
]


@pytest.fixture(scope="module")
def ranged(ecr: Any, registry: Registry) -> tuple[str, bytes]:
    name = aws.unique_name("suite/ranges")
    ecr.create_repository(repositoryName=name)
    image = small_image("ranges", layer_bytes=RANGED_BYTES)
    for blob in image.blobs:
        registry.push_blob(name, blob).expect(201)
    registry.push_manifest(name, "v1", image.manifest).expect(201)
    return name, image.blobs[1]


@pytest.mark.parametrize("asked,status,expected", RANGES)
def test_range(registry: Registry, ranged: tuple[str, bytes], asked: str, status: int, expected: slice | None) -> None:
    name, content = ranged
    answer = registry.get_blob(name, digest_of(content), Range=asked).expect(status)
    if expected is None:
        assert answer.headers["Content-Range"] == f"bytes */{RANGED_BYTES}"
        return
    assert answer.body == content[expected]
    if status == 206:
        first, last, _ = expected.indices(RANGED_BYTES)
        assert answer.headers["Content-Range"] == f"bytes {first}-{last - 1}/{RANGED_BYTES}"


# --- uploads


def test_an_upload_location_is_absolute(server: Server, registry: Registry, repository: str) -> None:
    answer = registry.send("POST", f"/v2/{repository}/blobs/uploads/").expect(202)
    assert answer.headers["Location"].startswith(f"{server.url}/v2/{repository}/blobs/uploads/")


CHUNKINGS = {
    "one PATCH, closing PUT empty": [5000],
    "several chunks": [1, 4096, 65536, 70_000, 3],
    "a last chunk in the PUT": [4096, 4096],
    "chunks over the storage unit": [65536, 65536, 65536],
    "empty blob": [],
}


@pytest.mark.parametrize("name", CHUNKINGS)
def test_chunked_upload(registry: Registry, repository: str, name: str) -> None:
    sizes = CHUNKINGS[name]
    content = pseudo_random(f"{repository}/{name}", sum(sizes)) if sizes else b""
    in_put = sizes.pop() if name.startswith("a last chunk") else 0
    target = registry.start_upload(repository)
    position = 0
    for size in sizes:
        answer = registry.push_chunk(target, content[position : position + size], start=position).expect(*PATCHED)
        position += size
        assert answer.headers["Range"] == f"0-{position - 1}"
        target = target_of(answer)
    rest = content[position:]
    headers = {"Content-Range": f"{position}-{position + in_put - 1}"} if in_put else {}
    answer = registry.finish_upload(target, digest_of(content), rest, **headers).expect(201)
    assert answer.headers["Docker-Content-Digest"] == digest_of(content)
    assert answer.headers["Location"].endswith(f"/v2/{repository}/blobs/{digest_of(content)}")
    assert registry.send("HEAD", f"/v2/{repository}/blobs/{digest_of(content)}").expect(200)


def test_streamed_upload(registry: Registry, repository: str) -> None:
    content = pseudo_random(repository, 1_000_000)
    target = registry.start_upload(repository)
    pieces = (content[start : start + 7777] for start in range(0, len(content), 7777))
    answer = registry.push_chunk(target, pieces).expect(*PATCHED)
    registry.finish_upload(target_of(answer), digest_of(content)).expect(201)


WRONG_STARTS = {"gap": 2000, "overlap": 500, "again from the start": 0}


@pytest.mark.parametrize("name", WRONG_STARTS)
def test_chunk_out_of_order(registry: Registry, repository: str, name: str) -> None:
    content = pseudo_random(repository, 1500)
    target = registry.start_upload(repository)
    target = target_of(registry.push_chunk(target, content[:1000], start=0).expect(*PATCHED))
    wrong = WRONG_STARTS[name]
    message = f"First byte of the layer part is {wrong} instead of 1000"
    registry.push_chunk(target, content[:500], start=wrong).expect_error(416, "BLOB_UPLOAD_INVALID", message)
    # The upload itself is unharmed and goes on where it was.
    target = target_of(registry.push_chunk(target, content[1000:], start=1000).expect(*PATCHED))
    registry.finish_upload(target, digest_of(content)).expect(201)


def test_content_range_must_agree_with_the_body(registry: Registry, repository: str) -> None:
    target = registry.start_upload(repository)
    headers = {"Content-Range": "0-99", "Content-Type": "application/octet-stream"}
    answer = registry.send("PATCH", target, headers=headers, body=b"x" * 50)
    assert answer.status in (400, 416), str(answer)


def test_wrong_digest_discards_the_upload(registry: Registry, repository: str) -> None:
    target = registry.start_upload(repository)
    message = "None of the provided layer digests match the calculated layer digest"
    registry.finish_upload(target, ABSENT, b"content").expect_error(400, "DIGEST_INVALID", message)
    registry.send("HEAD", f"/v2/{repository}/blobs/{ABSENT}").expect(404)
    registry.send("HEAD", f"/v2/{repository}/blobs/{digest_of(b'content')}").expect(404)
    registry.finish_upload(target, digest_of(b"content"), b"content").expect_error(404, "BLOB_UPLOAD_UNKNOWN")


MALFORMED_DIGESTS = ["", "sha256:", "sha256:short", "md5:" + "0" * 32, "sha256:" + "g" * 64, "../../etc/passwd"]


@pytest.mark.parametrize("digest", MALFORMED_DIGESTS)
def test_malformed_digest(registry: Registry, repository: str, digest: str) -> None:
    target = registry.start_upload(repository)
    answer = registry.finish_upload(target, digest, b"content")
    assert answer.status in (400, 405), str(answer)
    assert answer.errors


def test_an_upload_belongs_to_its_repository(registry: Registry, ecr: Any, repository: str) -> None:
    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    target = registry.start_upload(repository).replace(repository, other)
    registry.push_chunk(target, b"content").expect_error(404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_is_reached_only_through_its_repository(registry: Registry, ecr: Any, repository: str) -> None:
    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    image = registry.push_small_image(repository, "v1", repository)
    layer = digest_of(image.blobs[1])
    registry.send("GET", f"/v2/{other}/blobs/{layer}").expect_error(404, "BLOB_UNKNOWN")
    # Nor does naming it in a manifest make it readable.
    answer = registry.push_manifest(other, "v1", image.manifest)
    assert answer.status in (400, 404), str(answer)
    assert answer.errors[0][0] == "MANIFEST_BLOB_UNKNOWN"


def test_mounting_is_off_until_it_is_switched_on(registry: Registry, ecr: Any, repository: str) -> None:
    other = aws.unique_name()
    ecr.create_repository(repositoryName=other)
    image = registry.push_small_image(repository, "v1", repository)
    layer = image.blobs[1]
    query = f"mount={digest_of(layer)}&from={repository}"
    answer = registry.send("POST", f"/v2/{other}/blobs/uploads/?{query}").expect(202)
    registry.send("HEAD", f"/v2/{other}/blobs/{digest_of(layer)}").expect(404)
    registry.finish_upload(target_of(answer), digest_of(layer), layer).expect(201)


# --- manifests


def test_manifest_headers(registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    for reference in ("v1", image.digest):
        for method in ("GET", "HEAD"):
            answer = registry.send(
                method, f"/v2/{repository}/manifests/{reference}", headers={"Accept": MANIFEST_TYPE}
            ).expect(200)
            assert answer.headers["Content-Type"] == MANIFEST_TYPE
            assert answer.headers["Content-Length"] == str(len(image.manifest))
            assert answer.headers["Docker-Content-Digest"] == image.digest
            assert answer.body == (image.manifest if method == "GET" else b"")


def test_manifest_bytes_are_kept_verbatim(registry: Registry, repository: str) -> None:
    image = small_image(repository)
    for blob in image.blobs:
        registry.push_blob(repository, blob).expect(201)
    # Spacing, order of members, unknown members and escapes would not survive parsing and printing.
    odd = b'{ "x-unknown" : [1.0, 1e2, "\\u0041"],\n\n' + image.manifest[1:] + b"\n"
    answer = registry.push_manifest(repository, "odd", odd).expect(201)
    assert answer.headers["Docker-Content-Digest"] == digest_of(odd)
    assert registry.get_manifest(repository, "odd").body == odd


def test_pushing_again_is_no_error(registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    registry.push_manifest(repository, "v1", image.manifest).expect(201)


def test_a_tag_moves(registry: Registry, repository: str) -> None:
    first = registry.push_small_image(repository, "v1", f"{repository}/first")
    second = registry.push_small_image(repository, "v1", f"{repository}/second")
    assert registry.get_manifest(repository, "v1").body == second.manifest
    assert registry.get_manifest(repository, first.digest).body == first.manifest


def test_missing_layers(registry: Registry, repository: str) -> None:
    image = small_image(repository, layers=2)
    config, first, second = image.blobs
    registry.push_blob(repository, config).expect(201)
    answer = registry.push_manifest(repository, "v1", image.manifest)
    assert answer.status in (400, 404), str(answer)
    code, message = answer.errors[0]
    assert code == "MANIFEST_BLOB_UNKNOWN"
    shape = (
        r"Layers with digests '\[(?P<digests>[^]]+)\]' required for pushing image into repository with name "
        rf"'{repository}' in the registry with id '{ACCOUNT}' do not exist"
    )
    found = re.fullmatch(shape, message)
    assert found, message
    assert set(found["digests"].split(", ")) == {digest_of(first), digest_of(second)}
    registry.get_manifest(repository, "v1").expect(404)


def test_missing_children_of_an_index(registry: Registry, repository: str) -> None:
    pushed = registry.push_small_image(repository, "child", f"{repository}/child")
    absent = small_image(f"{repository}/absent")
    answer = registry.push_manifest(repository, "v1", image_index(pushed, absent), INDEX_TYPE)
    assert answer.status in (400, 404), str(answer)
    message = (
        f"Images with digests '[{absent.digest}]' required for pushing image into repository with name "
        f"'{repository}' in the registry with id '{ACCOUNT}' do not exist"
    )
    assert answer.errors[0] == ("MANIFEST_BLOB_UNKNOWN", message)


def test_digest_reference_must_match(registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    message = (
        f"The image with digest '{ABSENT}' in repository '{repository}' and registry ID '{ACCOUNT}' "
        "does not match the image digest that Amazon ECR has calculated."
    )
    registry.push_manifest(repository, ABSENT, image.manifest).expect_error(400, "DIGEST_INVALID", message)


BROKEN_MANIFESTS = {
    "empty": b"",
    "not JSON": b"manifest",
    "cut": b'{"schemaVersion": 2, "layers": [',
    "not an object": b"[]",
    "no schema version": b'{"mediaType": "%s"}' % MANIFEST_TYPE.encode(),
    "not UTF-8": b'{"schemaVersion": 2, "x": "\xff\xfe"}',
    "deep": b'{"schemaVersion": 2, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", BROKEN_MANIFESTS)
def test_broken_manifest(registry: Registry, repository: str, name: str) -> None:
    answer = registry.push_manifest(repository, "v1", BROKEN_MANIFESTS[name])
    # The specification's code; ECR itself answers 405 UNSUPPORTED here.
    answer.expect_error(400, "MANIFEST_INVALID")


MANIFEST_LIMIT = 4_194_304


@pytest.mark.parametrize(
    "length,fits", [(MANIFEST_LIMIT, True), (MANIFEST_LIMIT + 1, False), (3 * MANIFEST_LIMIT, False)]
)
def test_manifest_size(registry: Registry, repository: str, length: int, fits: bool) -> None:
    image = small_image(repository)
    for blob in image.blobs:
        registry.push_blob(repository, blob).expect(201)
    empty = json.dumps({**json.loads(image.manifest), "annotations": {"padding": ""}}).encode()
    padded = empty.replace(b'"padding": ""', b'"padding": "' + b"x" * (length - len(empty)) + b'"')
    assert len(padded) == length
    try:
        answer = registry.push_manifest(repository, "large", padded)
    except (BrokenPipeError, ConnectionResetError):
        # A server may refuse without reading what it will not keep.
        assert not fits
        return
    if fits:
        answer.expect(201)
        assert registry.get_manifest(repository, "large").body == padded
    else:
        answer.expect(400, 405, 413)
        assert answer.errors


# `%2e%2e` and the like stay in the path as they are written here.
BAD_TAGS = ["-dash", ".dot", "a" * 129, "sp%20ace", "colon%3Atwo", "%C3%A9", "a%00b"]


@pytest.mark.parametrize("tag", BAD_TAGS)
def test_bad_tag(registry: Registry, repository: str, tag: str) -> None:
    image = small_image(repository)
    for blob in image.blobs:
        registry.push_blob(repository, blob).expect(201)
    answer = registry.push_manifest(repository, tag, image.manifest)
    assert answer.status in (400, 404, 405), str(answer)


def test_immutable_tag(registry: Registry, ecr: Any) -> None:
    name = aws.unique_name("suite/immutable")
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    first = registry.push_small_image(name, "v1", f"{name}/1")
    second = small_image(f"{name}/2")
    for blob in second.blobs:
        registry.push_blob(name, blob).expect(201)
    message = (
        f"The image tag 'v1' already exists in the '{name}' repository "
        "and cannot be overwritten because the tag is immutable."
    )
    for manifest in (second.manifest, first.manifest):
        registry.push_manifest(name, "v1", manifest).expect_error(400, "TAG_INVALID", message)
    registry.push_manifest(name, "v2", second.manifest).expect(201)
    assert registry.get_manifest(name, "v1").body == first.manifest


def test_delete_by_digest(registry: Registry, repository: str) -> None:
    image = registry.push_small_image(repository, "v1", repository)
    registry.push_manifest(repository, "v2", image.manifest).expect(201)
    registry.send("DELETE", f"/v2/{repository}/manifests/{image.digest}").expect(202)
    for reference in ("v1", "v2", image.digest):
        registry.get_manifest(repository, reference).expect_error(404, "MANIFEST_UNKNOWN")


# --- lists


def list_tags(registry: Registry, repository: str, size: int) -> tuple[list[str], int]:
    """Follows the Link headers; returns the tags and the number of pages."""
    tags: list[str] = []
    target: str | None = f"/v2/{repository}/tags/list?n={size}"
    pages = 0
    while target:
        answer = registry.send("GET", target).expect(200)
        assert answer.json()["name"] == repository
        tags += answer.json()["tags"] or []
        pages += 1
        target = None
        if link := answer.headers["Link"]:
            found = re.fullmatch(r'<(?:http://[^/]+)?(/v2/[^>]+)>; ?rel="next"', link)
            assert found, link
            target = found[1]
    return tags, pages


@pytest.mark.parametrize("count,size,pages", [(0, 10, 1), (5, 10, 1), (7, 3, 3), (6, 3, 2)])
def test_tags_list(registry: Registry, repository: str, count: int, size: int, pages: int) -> None:
    image = small_image(repository)
    for blob in image.blobs:
        registry.push_blob(repository, blob).expect(201)
    expected = [f"v{number}" for number in range(count)]
    for tag in expected:
        registry.push_manifest(repository, tag, image.manifest).expect(201)
    tags, used = list_tags(registry, repository, size)
    assert sorted(tags) == expected
    # A last page may turn out to be empty.
    assert used in (pages, pages + 1)


def test_tags_list_bound(registry: Registry, repository: str) -> None:
    registry.send("GET", f"/v2/{repository}/tags/list?n=100000").expect(200)


def test_catalog_names_the_repository(registry: Registry, repository: str) -> None:
    assert repository in registry.send("GET", "/v2/_catalog?n=1000").expect(200).json()["repositories"]


def test_referrers(registry: Registry, repository: str) -> None:
    subject = registry.push_small_image(repository, "v1", repository)
    target = f"/v2/{repository}/referrers/{subject.digest}"
    assert registry.send("GET", target).expect(200).json()["manifests"] == []

    artifact = b"signature"
    registry.push_blob(repository, artifact).expect(201)
    registry.push_blob(repository, b"{}").expect(201)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": "application/vnd.example.signature",
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(artifact, "application/octet-stream")],
            "subject": descriptor(subject.manifest, MANIFEST_TYPE),
            "annotations": {"signer": "suite"},
        }
    ).encode()
    answer = registry.push_manifest(repository, digest_of(manifest), manifest).expect(201)
    assert answer.headers["OCI-Subject"] == subject.digest

    listed = registry.send("GET", target).expect(200)
    assert listed.headers["Content-Type"].startswith(INDEX_TYPE)
    assert listed.json()["mediaType"] == INDEX_TYPE
    assert listed.json()["manifests"] == [
        {
            "mediaType": MANIFEST_TYPE,
            "digest": digest_of(manifest),
            "size": len(manifest),
            "artifactType": "application/vnd.example.signature",
            "annotations": {"signer": "suite"},
        }
    ]


def test_config_and_layer_types_are_free(registry: Registry, repository: str) -> None:
    chart = b"chart"
    config = b'{"name": "chart"}'
    for blob in (chart, config):
        registry.push_blob(repository, blob).expect(201)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": descriptor(config, "application/vnd.cncf.helm.config.v1+json"),
            "layers": [descriptor(chart, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
        }
    ).encode()
    registry.push_manifest(repository, "1.0.0", manifest).expect(201)
    answer = registry.get_manifest(repository, "1.0.0").expect(200)
    assert answer.headers["Content-Type"] == MANIFEST_TYPE
    assert answer.body == manifest


def test_foreign_layers_need_not_be_here(registry: Registry, repository: str) -> None:
    config = b'{"os": "windows"}'
    registry.push_blob(repository, config).expect(201)
    foreign = {
        **descriptor(b"elsewhere", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        "urls": ["https://example.com/layer"],
    }
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": descriptor(config, "application/vnd.docker.container.image.v1+json"),
            "layers": [foreign],
        }
    ).encode()
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    registry.push_manifest(repository, "windows", manifest, media_type).expect(201)


def test_a_digest_pins_the_platform_types(registry: Registry, repository: str) -> None:
    children = [registry.push_small_image(repository, "", f"{repository}/{n}") for n in range(3)]
    index = image_index(*children)
    registry.push_manifest(repository, "multi", index, INDEX_TYPE).expect(201)
    answer = registry.get_manifest(repository, "multi", accept=INDEX_TYPE).expect(200)
    assert (answer.body, answer.headers["Content-Type"]) == (index, INDEX_TYPE)
    for entry in answer.json()["manifests"]:
        child = registry.get_manifest(repository, entry["digest"]).expect(200)
        assert len(child.body) == entry["size"]
        assert child.json()["config"]["mediaType"] == CONFIG_TYPE
        assert child.json()["layers"][0]["mediaType"] == LAYER_TYPE
