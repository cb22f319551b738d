"""A scanner behind an adapter of Harbor's protocol, which pulls the image as adapters do and then says what it is told."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

MANIFEST_TYPES = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]
REPORT_TYPE = "application/vnd.security.vulnerability.report; version=1.1"
CREDENTIAL = "Bearer of-the-adapter"


def ask(url: str, authorization: str, path: str, accept: str = "*/*") -> tuple[int, bytes]:
    """One request to the registry; the status and the body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": authorization, "Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Adapter:
    """The adapter; `vulnerabilities` is what it finds in every image, `misbehaves` what it does instead."""

    def __init__(self) -> None:
        self.vulnerabilities: list[dict[str, Any]] = []
        self.misbehaves = ""
        self.scans: list[dict[str, Any]] = []
        self.waits = 1
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def scan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Reads the image as a scanner does, with the token and nothing else."""
        url, authorization = request["registry"]["url"], request["registry"]["authorization"]
        name, digest = request["artifact"]["repository"], request["artifact"]["digest"]
        accept = ", ".join(MANIFEST_TYPES)
        status, manifest = ask(url, authorization, f"/v2/{name}/manifests/{digest}", accept)
        layers = json.loads(manifest)["layers"] if status == 200 else []
        read = [ask(url, authorization, f"/v2/{name}/blobs/{layer['digest']}")[0] for layer in layers]
        listed, _ = ask(url, authorization, f"/v2/{name}/tags/list")
        return {"request": request, "manifest": status, "layers": read, "tags": listed, "waits": self.waits}

    def report(self, scan: dict[str, Any]) -> dict[str, Any]:
        """What it says of an image."""
        return {
            "generated_at": "2026-01-02T03:04:05Z",
            "artifact": scan["request"]["artifact"],
            "scanner": {"name": "Stand-in", "vendor": "Nobody", "version": "1.2"},
            "severity": "High",
            "vulnerabilities": self.vulnerabilities,
        }

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """How requests are answered."""
        adapter = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def answer(self, status: int, body: Any, content_type: str = "application/json", **headers: str) -> None:
                """Answers with JSON."""
                content = json.dumps(body).encode()
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key.replace("_", "-"), value)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def refuse(self) -> bool:
                """Whether the request is not one of the registry's."""
                if self.headers.get("Authorization") == CREDENTIAL:
                    return False
                self.answer(401, {"error": {"message": "who are you?"}})
                return True

            def do_GET(self) -> None:  # noqa: N802
                """The metadata, or a report."""
                if self.refuse():
                    return
                if self.path == "/api/v1/metadata":
                    capability = {
                        "type": "vulnerability",
                        "consumes_mime_types": MANIFEST_TYPES,
                        "produces_mime_types": [REPORT_TYPE],
                    }
                    scanner = {"name": "Stand-in", "vendor": "Nobody", "version": "1.2"}
                    properties = {"harbor.scanner-adapter/vulnerability-database-updated-at": "2026-01-01T00:00:00Z"}
                    self.answer(200, {"scanner": scanner, "capabilities": [capability], "properties": properties})
                    return
                scan = adapter.scans[int(self.path.split("/")[4])]
                if self.headers.get("Accept") != REPORT_TYPE:
                    self.answer(415, {"error": {"message": "another type"}})
                elif scan["waits"]:
                    scan["waits"] -= 1
                    self.answer(302, {}, Location=self.path, Refresh_After="1")
                elif adapter.misbehaves == "type":
                    self.answer(200, adapter.report(scan), "text/html")
                elif adapter.misbehaves == "error":
                    self.answer(500, {"error": {"message": "the database is gone"}})
                else:
                    self.answer(200, adapter.report(scan), REPORT_TYPE)

            def do_POST(self) -> None:  # noqa: N802
                """A request for a scan."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.refuse():
                    return
                adapter.scans.append(adapter.scan(json.loads(body)))
                self.answer(202, {"id": str(len(adapter.scans) - 1)})

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler
