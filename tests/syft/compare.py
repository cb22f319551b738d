"""Makes OCI image directories of layers, and compares our lists of their packages with syft's."""

import collections
import gzip
import hashlib
import json
import pathlib
import re
import sys

TYPES = {
    "deb": "deb",
    "npm": "npm",
    "python": "pypi",
    "gem": "gem",
    "go-module": "golang",
    "java-archive": "maven",
    "jenkins-plugin": "maven",
    "rust-crate": "cargo",
    "rpm": "rpm",
    "apk": "apk",
    "php-composer": "composer",
    "dotnet": "nuget",
}


def image(directory: pathlib.Path, layers: list[pathlib.Path]) -> None:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(content: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    descriptors, diff_ids = [], []
    for layer in layers:
        content = layer.read_bytes()
        if layer.suffix == ".zst":
            archive = layer.with_suffix("").read_bytes()
            kind = "zstd"
        else:
            archive = gzip.decompress(content)
            kind = "gzip"
        diff_ids.append("sha256:" + hashlib.sha256(archive).hexdigest())
        descriptors.append(put(content, f"application/vnd.oci.image.layer.v1.tar+{kind}"))
    config = put(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        ).encode(),
        "application/vnd.oci.image.config.v1+json",
    )
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config,
        "layers": descriptors,
    }
    index = {"schemaVersion": 2, "manifests": [put(json.dumps(manifest).encode(), media_type)]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def python_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def ours(path: pathlib.Path) -> set[str]:
    lines = set()
    for line in path.read_text().splitlines():
        kind, name, version, source, layer, file, _ = line.split("\t")
        if kind == "maven":
            name = name.split(":")[-1]
        lines.add(describe(kind, name, version, source, layer, file))
    return lines


def describe(kind: str, name: str, version: str, source: str, layer: object, file: str) -> str:
    if kind == "pypi":
        name = python_name(name)
    if kind == "golang" and name == "stdlib":
        version = version.removeprefix("go")
    if kind != "deb":
        # What is inside an archive, each of us shows in another way.
        return f"{kind} {name} {version} {file.split('!/')[0].split(':')[0]} layer {layer}"
    return f"deb {name} {version} from {source or name} layer {layer}"


def theirs(path: pathlib.Path) -> set[str]:
    document = json.loads(path.read_text())
    layers = [layer["digest"] for layer in document["source"]["metadata"]["layers"]]
    lines = set()
    for package in document["artifacts"]:
        kind = TYPES.get(package["type"], package["type"])
        location = package["locations"][0]
        layer = layers.index(location["layerID"])
        source = ""
        if kind == "deb":
            metadata = package["metadata"]
            if metadata.get("source"):
                version = metadata.get("sourceVersion") or package["version"]
                source = f"{metadata['source']} {version}"
        file = location["path"].lstrip("/")
        lines.add(describe(kind, package["name"], package["version"], source, layer, file))
    return lines


def compare(known_path: pathlib.Path, images: list[pathlib.Path]) -> int:
    # Syft names the layer that wrote a database last; we name the one that brought the package.
    def without_layer(lines: set[str]) -> set[str]:
        return {re.sub(r" layer \d+$", "", line) for line in lines}

    patterns = []
    for line in known_path.read_text().splitlines():
        if line and not line.startswith("#"):
            patterns.append(line)
    used, failed = set(), False
    for image in images:
        our_lines = without_layer(ours(image / "ours.tsv"))
        their_lines = without_layer(theirs(image / "theirs.json"))
        found = [f"+ {line}" for line in sorted(our_lines - their_lines)]
        found += [f"- {line}" for line in sorted(their_lines - our_lines)]
        unknown = []
        for line in found:
            matching = [pattern for pattern in patterns if re.fullmatch(pattern, line)]
            used.update(matching)
            if not matching:
                unknown.append(line)
        for line in unknown:
            print(f"{image.name}: not in {known_path.name}: {line}")
        kinds = collections.Counter(line.split()[0] for line in our_lines & their_lines)
        same = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
        print(f"{image.name}: the same {same}; {len(found)} differ, {len(unknown)} unexpectedly")
        failed = failed or bool(unknown) or not kinds
    stale = [pattern for pattern in patterns if pattern not in used]
    for pattern in stale:
        print(f"does not differ any more, remove it: {pattern}")
    return 1 if failed or stale else 0


def main() -> int:
    command, *arguments = sys.argv[1:]
    paths = [pathlib.Path(argument) for argument in arguments]
    if command == "image":
        image(paths[0], paths[1:])
        return 0
    return compare(paths[0], paths[1:])


if __name__ == "__main__":
    sys.exit(main())
