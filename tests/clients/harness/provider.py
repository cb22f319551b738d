"""An identity provider on loopback: OpenID Connect with the authorization code flow and PKCE."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

CLIENT_ID = "tonnage-console"
CLIENT_SECRET = "a secret: of the console"


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def openssl(*arguments: str, given: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, check=True, capture_output=True).stdout


class Provider:
    """People are asked who they are by a page with a form; `claims` says what is told of them."""

    def __init__(self, directory: Path) -> None:
        self.key = directory / "login.pem"
        openssl("genrsa", "-out", str(self.key), "2048")
        modulus = openssl("rsa", "-in", str(self.key), "-noout", "-modulus").decode().strip().partition("=")[2]
        self.keys = [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": encoded(bytes.fromhex(modulus)),
                      "e": "AQAB"}]
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}
        self.refuses: str | None = None
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                if parts.path == "/.well-known/openid-configuration":
                    self.answer(200, json.dumps(provider.discovery()).encode())
                elif parts.path == "/keys":
                    self.answer(200, json.dumps({"keys": provider.keys}).encode())
                elif parts.path == "/authorize":
                    provider.asked.append(query)
                    fields = "".join(
                        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                        for name, value in query.items()
                    )
                    page = (
                        f'<!DOCTYPE html><title>Who are you?</title><form action="/login">{fields}'
                        '<button name="user" value="ada">I am Ada</button></form>'
                    )
                    self.answer(200, page.encode(), "text/html")
                elif parts.path == "/login":
                    self.send_response(303)
                    self.send_header("Location", provider.back(query))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    self.answer(404, b"{}")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                status, answer = provider.token(form, self.headers.get("Authorization", ""))
                self.answer(status, json.dumps(answer).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.name}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }

    def back(self, query: dict[str, str]) -> str:
        """Where a browser is sent that said who it is."""
        if self.refuses:
            told = {"error": self.refuses, "error_description": "<b>not</b> today", "state": query["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = query
            told = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(told)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer to a code, checked as RFC 6749 and RFC 7636 have it."""
        scheme, _, text = authorization.partition(" ")
        pair = base64.b64decode(text).decode().split(":") if scheme == "Basic" else []
        if [unquote_plus(part) for part in pair] != [CLIENT_ID, CLIENT_SECRET]:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        digest = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked.get("code_challenge_method") != "S256" or digest != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "code_verifier"}
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "user-1", "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "email": "ada@example.com", "email_verified": True, **self.claims,
        }
        return 200, {"access_token": "none", "token_type": "Bearer", "id_token": self.signed(claims)}

    def signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{encoded(openssl('dgst', '-sha256', '-sign', str(self.key), given=text.encode()))}"
