"""Writes what real tools would have left in a root, for tools that Debian does not have.

What is inside is real where it can be: headers come out of a database that rpm wrote, paragraphs out
of dpkg's.
"""

import json
import pathlib
import re
import sqlite3
import struct
import sys
import zlib

OS_RELEASES = {
    "rpm": 'NAME="Rocky Linux"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
    "alpine": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\n',
    "distroless": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n',
}

# Name, version, origin, licence, and files of packages as apk writes them down.
ALPINE = [
    ("alpine-baselayout-data", "3.4.3-r2", "alpine-baselayout", "GPL-2.0-only", ["etc/fstab"]),
    ("musl", "1.2.4_git20230717-r4", "musl", "MIT", ["lib/ld-musl-x86_64.so.1"]),
    ("busybox", "1.36.1-r15", "busybox", "GPL-2.0-only", ["bin/busybox"]),
    ("ssl_client", "1.36.1-r15", "busybox", "GPL-2.0-only", ["usr/bin/ssl_client"]),
    ("libcrypto3", "3.1.4-r5", "openssl", "Apache-2.0", ["lib/libcrypto.so.3"]),
    ("ca-certificates-bundle", "20230506-r0", "ca-certificates", "MPL-2.0 AND MIT", []),
    ("py3-pip", "23.3.1-r0", "py3-pip", "MIT", ["usr/lib/python3.11/site-packages/pip/x.py"]),
]

COMPOSER = [
    ("monolog/monolog", "3.5.0", "MIT"),
    ("psr/log", "3.0.0", "MIT"),
    ("symfony/polyfill-mbstring", "v1.28.0", "MIT"),
    ("acme/branch", "dev-main", "proprietary"),
]


def write(path: pathlib.Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    path.write_bytes(content)


def headers(database: pathlib.Path) -> list[tuple[int, bytes]]:
    connection = sqlite3.connect(f"file:{database}?immutable=1", uri=True)
    return connection.execute("SELECT hnum, blob FROM Packages ORDER BY hnum").fetchall()


def ndb(database: pathlib.Path, target: pathlib.Path) -> None:
    """rpm's own format: slots that say where in the file each header lies, in units of 16 bytes."""
    rows = headers(database)
    slots = struct.pack("<4s7I", b"RpmP", 0, 1, 1, rows[-1][0] + 1, 0, 0, 0)
    blobs = b""
    for number, header in rows:
        start = struct.pack("<4s3I", b"BlbS", number, 1, len(header))
        blob = start + header
        blob += bytes(-(len(blob) + 12) % 16)
        blob += struct.pack("<2I4s", zlib.adler32(blob), len(header), b"BlbE")
        slots += struct.pack("<4s3I", b"Slot", number, (4096 + len(blobs)) // 16, len(blob) // 16)
        blobs += blob
    slots += struct.pack("<4s3I", b"Slot", 0, 0, 0) * ((4096 - len(slots)) // 16)
    write(target, slots + blobs)


def bdb(database: pathlib.Path, target: pathlib.Path) -> None:
    """What db_load makes a hash of Berkeley DB from. Package 0 is the number of the last."""
    rows = headers(database)
    lines = ["VERSION=3", "format=bytevalue", "type=hash", "db_pagesize=4096", "HEADER=END"]
    for number, header in [(0, struct.pack("<I", rows[-1][0])), *rows]:
        lines += [" " + struct.pack("<I", number).hex(), " " + header.hex()]
    write(target, "\n".join([*lines, "DATA=END", ""]))


def alpine(root: pathlib.Path) -> None:
    paragraphs = []
    for name, version, origin, licence, files in ALPINE:
        lines = [
            "C:Q1z64Pg8K5rXfD5nbw6rEW/WFnzPA=",
            f"P:{name}",
            f"V:{version}",
            "A:x86_64",
            "S:1024",
            "I:4096",
            f"T:what {name} is: for a test",
            "U:https://example.org/",
            f"L:{licence}",
            f"o:{origin}",
            "m:A Maintainer <a.maintainer@example.org>",
            "t:1705333446",
            "c:65502ca9379dd29d1ac4b0bf0dcf03a3dd1b324a",
            "D:so:libc.musl-x86_64.so.1",
            f"p:{name}-part=1",
        ]
        for file in files:
            directory, _, base = file.rpartition("/")
            lines += [f"F:{directory}", "M:0:0:755", f"R:{base}", "a:0:0:755", "Z:Q1z64Pg8K5rXfD5n="]
        paragraphs.append("\n".join(lines) + "\n\n")
    write(root / "lib/apk/db/installed", "".join(paragraphs))
    write(root / "etc/apk/repositories", "https://example.org/alpine/v3.19/main\n")
    # A module that apk brought, and one that it did not.
    for directory, version in [("usr/lib/python3.11/site-packages", "23.3.1"), ("srv", "1.0.1")]:
        metadata = f"Metadata-Version: 2.1\nName: pip\nVersion: {version}\n\n"
        write(root / directory / f"pip-{version}.dist-info/METADATA", metadata)


def distroless(base: pathlib.Path, root: pathlib.Path) -> None:
    """A file for each package, as images without dpkg have."""
    status = (base / "var/lib/dpkg/status").read_text()
    wanted = {"base-files", "libc6", "libssl3", "netbase", "tzdata", "libgcc-s1", "zlib1g"}
    for paragraph in status.split("\n\n"):
        name = re.match(r"Package: (\S+)", paragraph)
        if name and name[1] in wanted:
            paragraph = re.sub(r"(?m)^Status: .*\n", "", paragraph)
            write(root / "var/lib/dpkg/status.d" / name[1], paragraph + "\n")
            digests = [*(base / "var/lib/dpkg/info").glob(f"{name[1]}[.:]*md5sums")]
            if digests:
                target = root / "var/lib/dpkg/status.d" / f"{name[1]}.md5sums"
                write(target, digests[0].read_bytes())


def languages(root: pathlib.Path) -> None:
    """What Composer and .NET leave."""
    packages = [
        {
            "name": name,
            "version": version,
            "version_normalized": version.removeprefix("v") + ".0",
            "source": {"type": "git", "url": "https://example.org/x.git", "reference": "0" * 40},
            "require": {"php": ">=8.1"},
            "type": "library",
            "license": [licence],
            "install-path": f"../{name}",
        }
        for name, version, licence in COMPOSER
    ]
    installed = {"packages": packages, "dev": False, "dev-package-names": []}
    write(root / "srv/php/vendor/composer/installed.json", json.dumps(installed, indent=4))
    version = ".NETCoreApp,Version=v8.0"
    target = {
        "App/1.0.0": {"dependencies": {"Serilog": "3.1.1"}, "runtime": {"App.dll": {}}},
        "Serilog/3.1.1": {"runtime": {"lib/net7.0/Serilog.dll": {"assemblyVersion": "2.0.0.0"}}},
        "Newtonsoft.Json/13.0.3": {"runtime": {"lib/net6.0/Newtonsoft.Json.dll": {}}},
    }
    libraries = {
        name: {"type": "project" if name.startswith("App") else "package", "serviceable": True}
        for name in target
    }
    for library in libraries.values():
        library["sha512"] = "" if library["type"] == "project" else "sha512-" + "A" * 86 + "=="
    document = {
        "runtimeTarget": {"name": version, "signature": ""},
        "compilationOptions": {},
        "targets": {version: target},
        "libraries": libraries,
    }
    write(root / "srv/net/App.deps.json", json.dumps(document, indent=2))


def main() -> None:
    command, *arguments = sys.argv[1:]
    if command == "os-release":
        write(pathlib.Path(arguments[1]) / "etc/os-release", OS_RELEASES[arguments[0]])
        return
    commands = {
        "ndb": ndb,
        "bdb": bdb,
        "alpine": alpine,
        "distroless": distroless,
        "languages": languages,
    }
    commands[command](*map(pathlib.Path, arguments))


if __name__ == "__main__":
    main()
