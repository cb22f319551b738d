"""Domains that owners of public registries prove: a file over https, a record of the DNS, the badge."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest
from selenium.webdriver.common.by import By

from harness import aws
from harness.browser import Browser
from harness.http import Registry, send
from harness.server import ACCOUNT, NAMED_SUFFIX, Server
from harness.tools import run, wait_until
from test_gallery import push_image

HARBOUR = f"harbour.{NAMED_SUFFIX}"
PIER = f"pier.{NAMED_SUFFIX}"
LATEST_ANSWER_SECONDS = 8


class Authority:
    """A certificate authority, and a certificate of it for the harbour's domain."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "ca.crt"
        key, request, extensions = directory / "ca.key", directory / "harbour.csr", directory / "extensions"
        self.chain = directory / "harbour.pem"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        # fmt: off
        run("openssl", "req", "-x509", *curve, "-days", "2", "-subj", "/CN=tonnage test authority",
            "-keyout", key, "-out", self.certificate)
        run("openssl", "req", *curve, "-subj", f"/CN={HARBOUR}", "-keyout", directory / "harbour.key", "-out", request)
        extensions.write_text(f"subjectAltName=DNS:{HARBOUR}\nbasicConstraints=critical,CA:FALSE\n")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", key, "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", directory / "harbour.crt")
        # fmt: on
        parts = [(directory / name).read_text() for name in ("harbour.crt", "harbour.key")]
        self.chain.write_text("".join(parts))


class Later:
    """Something that is known once somebody was told it; whoever asks before waits."""

    def __init__(self) -> None:
        self.known = threading.Event()
        self.value = ""

    def set(self, value: str) -> None:
        self.value = value
        self.known.set()

    def get(self) -> str:
        assert self.known.wait(LATEST_ANSWER_SECONDS)
        return self.value


class WebServer:
    """https on the harbour's address."""

    def __init__(self, chain: Path) -> None:
        self.line = Later()
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(f"{self.headers['Host']}{self.path}")
                content = f"# ours\n{outer.line.get()}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        self.server = ThreadingHTTPServer(("127.0.0.77", 443), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class NameServer:
    """Answers every question for text records with one text."""

    def __init__(self) -> None:
        self.text = Later()
        self.asked: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self.socket.recvfrom(2048)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1 : at + 1 + question[at]].decode())
                at += 1 + question[at]
            self.asked.append(".".join(labels))
            text = self.text.get().encode()
            head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0)
            record = struct.pack("!HHHIH", 0xC00C, 16, 1, 60, len(text) + 1) + bytes([len(text)]) + text
            self.socket.sendto(head + question[12:end] + record, client)


class ProvingServer(Server):
    """A server that trusts the authority and asks the name server."""

    authority: Authority
    names: NameServer

    def command(self) -> list[str]:
        return [
            *super().command(),
            "--outbound-network",
            "127.0.0.0/8",
            "--outbound-authorities-file",
            str(self.authority.certificate),
            "--outbound-resolver",
            self.names.address,
        ]

    def domains(self, *words: str) -> list[dict[str, str]]:
        """What the command prints, each domain as a mapping."""
        out = self.subcommand("public", "domains", *words, "--data-dir", str(self.data)).stdout
        blocks: list[dict[str, str]] = []
        for line in out.splitlines():
            name, _, value = line.partition(" ")
            if name == "Domain":
                blocks.append({})
            if blocks and value:
                blocks[-1][name] = value.strip()
        return blocks

    def wait_for(self, domain: str, status: str) -> None:
        def reached() -> bool:
            return any((one["Domain"], one["Status"]) == (domain, status) for one in self.domains("list", ACCOUNT))

        wait_until(reached, 30, f"{domain} {status}")


@pytest.fixture
def proving(binary: Path, tmp_path: Path) -> Iterator[ProvingServer]:
    server = ProvingServer(binary, tmp_path / "server")
    server.authority = Authority(tmp_path)
    server.names = NameServer()
    server.start()
    yield server
    server.close()
    server.names.socket.close()


def test_domains_are_proven_over_https_and_by_the_dns(proving: ProvingServer, tmp_path: Path) -> None:
    public = aws.client(proving, "ecr-public")
    uri = public.create_repository(repositoryName="web")["repository"]["repositoryUri"]
    alias = uri.split("/")[1]
    push_image(Registry(proving.public_host, aws.public_password(public)), f"{alias}/web", "amd64", "latest")
    web = WebServer(proving.authority.chain)
    try:
        # The pier has no web server; its name has a record.
        (pier,) = proving.domains("prove", ACCOUNT, PIER)
        assert (pier["Status"], pier["Address"]) == ("PENDING", f"https://{PIER}/.well-known/tonnage-challenge.txt")
        name, _, text = pier["Record"].partition(" TXT ")
        proving.names.text.set(json.loads(text))
        proving.wait_for(PIER, "PROVEN")
        assert set(proving.names.asked) == {name} == {f"_tonnage.{PIER}"}

        (harbour,) = proving.domains("prove", ACCOUNT, HARBOUR)
        web.line.set(harbour["Line"])
        proving.wait_for(HARBOUR, "PROVEN")
        assert web.asked == [f"{HARBOUR}/.well-known/tonnage-challenge.txt"]
        assert public.describe_registries()["registries"][0]["verified"] is True

        def page(path: str) -> str:
            return send(proving.public_host, "GET", path).expect(200).body.decode()

        with Browser(tmp_path / "browser") as browser:

            def shown(domain: str) -> None:
                wait_until(lambda: domain in page(f"/{alias}/web"), 30, f"the gallery shows {domain}")
                for path in (f"/{alias}", f"/{alias}/web", "/search?q=web&verified=yes"):
                    browser.show(f"http://{proving.public_host}{path}", width=1440, dark=False)
                    badge = browser.driver.find_element(By.CSS_SELECTOR, ".verified")
                    assert badge.is_displayed() and domain in badge.text, (path, badge.text)
                    assert browser.violations() == [] == browser.complaints()

            # The first that is proven is shown.
            shown(PIER)
            proving.subcommand("public", "domains", "remove", ACCOUNT, PIER, "--data-dir", str(proving.data))
            shown(HARBOUR)
            # The operator is stronger than any proof.
            proving.domains("revoke", ACCOUNT, HARBOUR)
            wait_until(lambda: HARBOUR not in page(f"/{alias}/web"), 30, "the badge is gone")
            browser.show(f"http://{proving.public_host}/{alias}", width=1440, dark=False)
            assert browser.driver.find_elements(By.CSS_SELECTOR, ".verified") == []
    finally:
        web.server.shutdown()
        web.server.server_close()


def test_pulls_that_straddle_a_restart_count_once(own_server: Server) -> None:
    server = own_server
    public = aws.client(server, "ecr-public")
    uri = public.create_repository(repositoryName="app")["repository"]["repositoryUri"]
    name = uri.partition("/")[2]
    registry = Registry(server.public_host, aws.public_password(public))
    children = [push_image(registry, name, architecture, None) for architecture in ("amd64", "arm64")]
    kind = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": children}).encode()
    registry.push_manifest(name, "v1", index, kind).expect(201)
    token = send(server.public_host, "GET", "/token/?service=here&scope=aws").expect(200).json()["token"]
    anonymous = Registry(server.public_host, None)
    anonymous.authorization = f"Bearer {token}"
    for reference in ("v1", children[1]["digest"]):
        anonymous.get_manifest(name, reference).expect(200)
        server.restart()

    def pulls(*words: str) -> list[dict[str, Any]]:
        given = ("public", "pulls", ACCOUNT, "app", "--json", "--data-dir", str(server.data), *words)
        return list(json.loads(server.subcommand(*given).stdout))

    (counted,) = pulls()
    assert (counted["tag"], counted["platform"], counted["pulls"]) == ("v1", "linux/arm64", 1)
    assert pulls("--by", "network") == [{"network": "127.0.0.0/24", "pulls": 1}]
    assert pulls("--by", "platform") == [{"platform": "linux/arm64", "pulls": 1}]
    printed = server.subcommand("public", "pulls", ACCOUNT, "app", "--by", "tag", "--data-dir", str(server.data)).stdout
    assert printed.split() == ["PULLS", "TAG", "1", "v1"]
