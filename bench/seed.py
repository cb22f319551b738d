"""Puts one image into each registry, and its bytes where nginx serves them.

seed.py DIRECTORY (URL AUTHORIZATION)…
"""

import hashlib
import json
import os
import random
import sys
import urllib.parse
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
directory, registries = sys.argv[1], list(zip(sys.argv[2::2], sys.argv[3::2]))
os.makedirs(directory)
generator = random.Random(1)
blobs = {
    "config": b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
    "small": generator.randbytes(4096),
    "large": b"".join(generator.randbytes(1024 * 1024) for _ in range(256)),
}


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(name, media_type):
    content = blobs[name]
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content)}


layer = "application/vnd.oci.image.layer.v1.tar"
manifest = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("config", "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor("small", layer), descriptor("large", layer)],
    }
).encode()


def send(method, url, content, content_type, authorization):
    request = urllib.request.Request(url, data=content, method=method)
    request.add_header("Content-Type", content_type)
    if authorization:
        request.add_header("Authorization", authorization)
    with urllib.request.urlopen(request) as answer:
        return answer.headers


for base, authorization in registries:
    for content in blobs.values():
        octets = "application/octet-stream"
        started = send("POST", f"{base}/v2/bench/image/blobs/uploads/", b"", octets, authorization)
        location = urllib.parse.urljoin(base, started["Location"])
        location += ("&" if "?" in location else "?") + "digest=" + digest_of(content)
        send("PUT", location, content, octets, authorization)
    send("PUT", f"{base}/v2/bench/image/manifests/latest", manifest, MANIFEST, authorization)

for name, content in [*blobs.items(), ("manifest", manifest)]:
    with open(os.path.join(directory, name), "wb") as file:
        file.write(content)
with open(os.path.join(directory, "names"), "w") as file:
    for name, content in [("manifest", manifest), *blobs.items()]:
        file.write(f"{name}={digest_of(content)}\n")
