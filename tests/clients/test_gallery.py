"""The public gallery in a browser: every page, narrow and wide, dark and light, with hostile texts in it."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness import aws
from harness.browser import Browser
from harness.http import Registry, Response, descriptor, digest_of, send
from harness.png import png
from harness.server import ACCOUNT, Server
from harness.tools import run, wait_until

HOSTILE = "<script>document.title = 'taken'</script>"
ABOUT = f"""# Harbour

A small **web server** for quays. See [the site](https://example.org) or [not this](javascript:alert(1)).

| Setting | Default | What it does |
| --- | --- | --- |
| `PORT` | `8080` | Where it listens |
| `ROOT` | `/srv` | What it serves |

- [x] Runs as nobody
- [ ] Makes coffee

![build](https://example.org/badge.svg)

{HOSTILE}
"""
USAGE = """## Start it

```sh
docker run --rm --publish 8080:8080 --volume "$PWD:/srv:ro" public.example.com/harbour/web/server:latest --verbose --with-a-long-argument
```

> Mind the tide.
"""
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


STATUS = "".join(
    f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
    for name, version in [("openssl", "3.0.9-1"), ("bash", "5.2.15-2+b2"), ("zlib", "1:1.2.13")]
)
SYSTEM = {"etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "var/lib/dpkg/status": STATUS.encode()}


def archive(files: dict[str, bytes]) -> bytes:
    """A layer with these files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(written.getvalue(), mtime=0)


def push_image(
    registry: Registry, name: str, architecture: str, tag: str | None, scannable: bool = False
) -> dict[str, Any]:
    """Pushes an image with a configuration worth looking at; its descriptor."""
    layers = [os.urandom(3000), os.urandom(200_000)]
    if scannable:
        layers = [archive(SYSTEM), archive({"usr/bin/server": os.urandom(200_000)})]
    config = json.dumps(
        {
            "os": "linux",
            "architecture": architecture,
            "config": {
                "Entrypoint": ["/usr/bin/server"],
                "Cmd": ["--root", "/srv"],
                "User": "nobody",
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": {"org.opencontainers.image.licenses": "Apache-2.0", "hostile": HOSTILE},
            },
            "history": [
                {"created_by": "ADD rootfs.tar.xz / # debian.sh --arch 'amd64' out/ 'bookworm'"},
                {"created_by": "ENV PORT=8080", "empty_layer": True},
                {"created_by": f"COPY server /usr/bin/server # {HOSTILE}"},
            ],
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    ).encode()
    for blob in [config, *layers]:
        registry.push_blob(name, blob).expect(201)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config, CONFIG),
            "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip") for layer in layers],
            "annotations": {"org.opencontainers.image.title": f"Harbour {HOSTILE}"},
        }
    ).encode()
    registry.push_manifest(name, tag or digest_of(manifest), manifest, MANIFEST).expect(201)
    return descriptor(manifest, MANIFEST, platform={"os": "linux", "architecture": architecture})


class ScanningServer(Server):
    """A server that knows flaws of a few packages."""

    def command(self) -> list[str]:
        """As every server, with a source of advisories."""
        location = self.directory / "advisories"
        return [*super().command(), "--advisory-source", f"name=test,kind=osv,location={location},licence=CC0-1.0"]

    def publish(self) -> None:
        """Writes the advisories and has the server read them."""
        for number, (package, urgency) in enumerate(
            [("openssl", "high"), ("openssl", "medium"), ("bash", "low"), ("zlib", "unimportant")], 1
        ):
            cve = f"CVE-2026-000{number}"
            record = {
                "schema_version": "1.6.0",
                "id": f"DEBIAN-{cve}",
                "aliases": [cve],
                "modified": "2026-01-02T03:04:05Z",
                "details": f"A flaw of {package}. {HOSTILE}",
                "affected": [
                    {
                        "package": {"ecosystem": "Debian:12", "name": package},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9-1"}]}],
                        "ecosystem_specific": {"urgency": urgency},
                    }
                ],
            }
            (self.directory / "advisories" / f"{cve}.json").write_text(json.dumps(record))
        run(self.binary, "advisories", "sync", "--data-dir", self.data)


@pytest.fixture(scope="module")
def server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScanningServer]:
    """A server whose public images are scanned where their owner wants that."""
    running = ScanningServer(binary, tmp_path_factory.mktemp("gallery") / "server")
    (running.directory / "advisories").mkdir(parents=True)
    running.start()
    running.publish()
    yield running
    running.close()


@pytest.fixture(scope="module")
def gallery(server: Server) -> dict[str, str]:
    """A public registry with all that pages show; the paths of the pages."""
    public = aws.client(server, "ecr-public")
    public.put_registry_catalog_data(displayName="Harbour Works")
    texts = {
        "web/server": "A small web server for quays, piers and everything else that stands in the water.",
        "database": f"Keeps what the tide brings {HOSTILE}",
        "tools/crane": "Lifts images from one registry to another.",
        "empty": "Nothing here yet.",
    }
    for name, description in texts.items():
        data: dict[str, Any] = {"description": description}
        if name == "web/server":
            data |= {"aboutText": ABOUT, "usageText": USAGE, "logoImageBlob": png(96, 96)}
        public.create_repository(repositoryName=name, catalogData=data)
    uri = public.describe_repositories(repositoryNames=["empty"])["repositories"][0]["repositoryUri"]
    alias = uri.split("/")[1]
    registry = Registry(server.public_host, aws.public_password(public))
    for name in ("database", "tools/crane"):
        push_image(registry, f"{alias}/{name}", "amd64", "latest")
    settings = ("--tags", "immutable", "--except", "latest", "--scan", "on")
    for name in ("tools/crane", "web/scanned"):
        if name == "web/scanned":
            public.create_repository(repositoryName=name, catalogData={"description": "Scanned, and never moved."})
        server.subcommand("public", "set", ACCOUNT, name, *settings, "--data-dir", str(server.data))
    scanned = f"{alias}/web/scanned"
    platforms = [
        push_image(registry, scanned, "amd64", "1.0-amd64", scannable=True),
        push_image(registry, scanned, "arm64", "1.0-arm64"),
    ]
    both = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": platforms}).encode()
    registry.push_manifest(scanned, "1.0", both, INDEX).expect(201)
    web = f"{alias}/web/server"
    children = [push_image(registry, web, architecture, None) for architecture in ("amd64", "arm64")]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    for tag in ("1", "1.27", "1.27.4", "stable", "latest"):
        registry.push_manifest(web, tag, index, INDEX).expect(201)
    child = children[0]["digest"]
    subject = descriptor(index, INDEX)
    registry.push_blob(web, b"{}").expect(201)
    signature = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(b"{}", "application/vnd.oci.empty.v1+json")],
            "subject": subject,
        }
    ).encode()
    registry.push_manifest(web, digest_of(signature), signature, MANIFEST).expect(201)
    server.subcommand("public", "verify", ACCOUNT, "--data-dir", str(server.data))
    # One pull of a tag and a platform, and one of another tag.
    anonymous = Registry(server.public_host, None)
    token = send(server.public_host, "GET", "/token/?service=here&scope=aws").expect(200).json()["token"]
    anonymous.authorization = f"Bearer {token}"
    for reference in ("latest", child, "1.27"):
        anonymous.get_manifest(web, reference).expect(200)
    wait_for(server, "/search?q=quays&verified=yes", web)
    wait_for(server, f"/{web}", "2 pulls in the last 30 days")
    wait_for(server, f"/{scanned}:1.0-amd64", "CVE-2026-0001")
    wait_for(server, f"/{scanned}:1.0-arm64", "The scan failed")
    return {
        "home": "/",
        "search": "/search?q=ser&arch=x86-64",
        "nothing": "/search?q=zeppelin&verified=yes",
        "publisher": f"/{alias}",
        "repository": f"/{web}",
        "filtered": f"/{web}?tag=1.27",
        "empty": f"/{alias}/empty",
        "index": f"/{web}:latest",
        "image": f"/{web}@{child}",
        "scanned": f"/{scanned}",
        "scanned-index": f"/{scanned}:1.0",
        "scanned-image": f"/{scanned}:1.0-amd64",
        "scan-failed": f"/{scanned}:1.0-arm64",
        "missing": "/nobody/nothing",
    }


def get(server: Server, path: str, **headers: str) -> Response:
    return send(server.public_host, "GET", path, headers=headers)


def wait_for(server: Server, path: str, text: str) -> None:
    """The gallery follows what is pushed within a second."""
    deadline = time.monotonic() + 30
    while text not in get(server, path).expect(200).body.decode():
        assert time.monotonic() < deadline, f"{path} never showed {text}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible_and_fits(
    server: Server, gallery: dict[str, str], browser: Browser, width: int, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("TONNAGE_TEST_PICTURES", tmp_path))
    for name, path in gallery.items():
        for dark in (False, True):
            browser.show(f"http://{server.public_host}{path}", width=width, dark=dark)
            browser.save(pictures / f"{name}-{width}-{'dark' if dark else 'light'}.png")
            assert browser.violations() == [], (name, width, dark)
            overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} is wider than {width} pixels by {overflow}"
            assert "taken" not in browser.driver.title, name
            complaints = browser.complaints()
            if name == "missing":
                complaints = [entry for entry in complaints if "404" not in entry]
            assert complaints == [], name


def test_people_find_an_image_with_the_keyboard_and_without_scripts(
    server: Server, gallery: dict[str, str], tmp_path: Path
) -> None:
    with Browser(tmp_path / "profile", scripts=False) as browser:

        def arrive(path: str) -> None:
            # The page before has the same links.
            wait_until(lambda: path in browser.driver.current_url, 30, f"the browser is at {path}")

        browser.show(f"http://{server.public_host}/", width=1440, dark=False)
        box = browser.driver.find_element(By.NAME, "q")
        box.send_keys("quays", Keys.ENTER)
        arrive("/search?")
        browser.driver.find_element(By.LINK_TEXT, "web/server").send_keys(Keys.ENTER)
        arrive(gallery["repository"])
        assert browser.driver.find_element(By.TAG_NAME, "h1").text == "web/server"
        command = browser.driver.find_element(By.CSS_SELECTOR, ".command code").text
        assert command == f"docker pull {server.public_host}{gallery['repository']}:latest"
        browser.driver.find_element(By.LINK_TEXT, "1.27.4").send_keys(Keys.ENTER)
        arrive(f"{gallery['repository']}:1.27.4")
        assert "linux/arm64" in browser.driver.find_element(By.TAG_NAME, "main").text


def test_the_command_can_be_copied(server: Server, gallery: dict[str, str], browser: Browser) -> None:
    browser.show(f"http://{server.public_host}{gallery['repository']}", width=1440, dark=False)
    button = browser.driver.find_element(By.CSS_SELECTOR, "button.copy")
    assert button.get_attribute("aria-label").startswith("Copy: docker pull ")


def test_caches_and_crawlers(server: Server, gallery: dict[str, str]) -> None:
    page = get(server, gallery["repository"]).expect(200)
    assert HOSTILE not in page.body.decode()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    get(server, gallery["repository"], **{"if-none-match": page.headers["etag"]}).expect(304)
    style = page.body.decode().split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in get(server, style).expect(200).headers["cache-control"]
    robots = get(server, "/robots.txt").expect(200).body.decode()
    assert f"Sitemap: http://{server.public_host}/sitemap.xml" in robots
    listed = get(server, "/sitemap.xml").expect(200).body.decode()
    assert gallery["repository"] in listed and gallery["empty"] not in listed


def test_a_redirect_leads_nowhere_else(server: Server, gallery: dict[str, str]) -> None:
    answer = get(server, gallery["repository"] + "/").expect(308)
    assert answer.headers["Location"] == gallery["repository"]
    for path in ("/%5Cevil.example/", "/%09/evil.example/", "//evil.example/", "/%2Fevil.example/"):
        get(server, path).expect(404)


def test_scans_and_immutable_tags_are_shown_where_the_owner_wants_it(server: Server, gallery: dict[str, str]) -> None:
    tags = get(server, gallery["scanned"]).expect(200).body.decode()
    assert "Tags never change, except <code>latest</code>" in tags
    assert "1 high" in tags and "not all platforms" in tags
    image = get(server, gallery["scanned-image"]).expect(200).body.decode()
    assert image.index("CVE-2026-0001") < image.index("CVE-2026-0002") < image.index("CVE-2026-0003")
    assert "DEBIAN_12" in image
    # Nobody turned anything on here.
    for name in ("repository", "image", "index"):
        page = get(server, gallery[name]).expect(200).body.decode()
        assert "Scan" not in page and "never change" not in page, name

    public = aws.client(server, "ecr-public")
    registry = Registry(server.public_host, aws.public_password(public))
    path = gallery["scanned"][1:]
    moved = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    answer = registry.push_manifest(path, "1.0", moved, INDEX).expect(400)
    assert answer.json()["errors"][0]["code"] == "TAG_INVALID"
    registry.push_manifest(path, "latest", moved, INDEX).expect(201)


def test_a_domain_is_looked_for_and_the_operator_decides(server: Server, gallery: dict[str, str]) -> None:
    def ask(*words: str, status: int = 0) -> str:
        output = server.subcommand("public", "domains", *words, "--data-dir", str(server.data), status=status)
        return output.stdout + output.stderr

    # No name of that kind leads anywhere (RFC 6761).
    told = ask("prove", ACCOUNT, "Harbour.Invalid")
    assert "https://harbour.invalid/.well-known/tonnage-challenge.txt" in told and "PENDING" in told
    line = told.split("Line")[1].split()[0]
    assert line.startswith("tonnage-challenge=") and len(line) > 40
    wait_until(lambda: "cannot be resolved" in ask("list", ACCOUNT), 30, "the file is looked for")
    assert line in ask("prove", ACCOUNT, "harbour.invalid")
    assert "REVOKED" in ask("revoke", ACCOUNT, "harbour.invalid")
    assert "revoked" in ask("prove", ACCOUNT, "harbour.invalid", status=1)
    assert "PENDING" in ask("allow", ACCOUNT, "harbour.invalid")
    for wrong in ("h\u00e4rbour.example", "127.0.0.1", "example.com:8443", "https://example.com"):
        assert "domain" in ask("prove", ACCOUNT, wrong, status=1), wrong
    ask("remove", ACCOUNT, "harbour.invalid")
    assert "harbour" not in ask("list", ACCOUNT)


def test_owners_read_and_change_their_settings(server: Server, gallery: dict[str, str]) -> None:
    def ask(*words: str) -> str:
        return server.subcommand("public", *words, "--data-dir", str(server.data)).stdout

    assert ask("settings", ACCOUNT, "database").split() == "Repository database Tags MUTABLE Scan off".split()
    told = ask("set", ACCOUNT, "database", "--tags", "mutable", "--except", "v*")
    assert "MUTABLE_WITH_EXCLUSION, except v*" in told
    assert "Scan        on" in ask("set", ACCOUNT, "database", "--scan", "on")
    assert "except v*" in ask("settings", ACCOUNT, "database")
    ask("set", ACCOUNT, "database", "--tags", "mutable", "--scan", "off")


def test_a_private_repository_looks_like_none(server: Server, gallery: dict[str, str]) -> None:
    aws.client(server, "ecr").create_repository(repositoryName="private/thing")
    alias = gallery["publisher"]
    answers = [
        get(server, path).expect(404).body
        for path in (f"{alias}/private/thing", f"{alias}/no/thing", f"/{ACCOUNT}/private/thing", "/../etc/passwd", "/%ff")
    ]
    assert len(set(answers)) == 1


def test_the_registry_is_where_it_was(server: Server) -> None:
    send(server.public_host, "GET", "/v2/").expect(401)
    send(server.public_host, "POST", "/", headers={"x-amz-target": "Nonsense.Nothing"}).expect(400, 403, 404)
