"""Workload identity: the token of a provider on loopback, exchanged by boto3, pushes an image."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import boto3
import pytest
from botocore.config import Config

from harness import aws
from harness.server import ACCOUNT, Server

AUDIENCE = "sts.amazonaws.com"


class TrustingServer(Server):
    """A server that may ask identity providers on this machine."""

    def command(self) -> list[str]:
        return [*super().command(), "--outbound-network", "127.0.0.0/8"]


@pytest.fixture
def trusting(binary: Path, tmp_path: Path) -> Iterator[TrustingServer]:
    server = TrustingServer(binary, tmp_path / "server")
    server.start()
    yield server
    server.close()


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Provider:
    """An identity provider with one RSA key, as openssl makes it."""

    def __init__(self, directory: Path) -> None:
        self.key = directory / "provider.pem"
        self.run("genrsa", "-out", str(self.key), "2048")
        modulus = self.run("rsa", "-in", str(self.key), "-noout", "-modulus").decode().strip().partition("=")[2]
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": encoded(bytes.fromhex(modulus)),
               "e": "AQAB"}
        documents: dict[str, Any] = {"/keys": {"keys": [key]}}
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                document = documents.get(self.path)
                content = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.name}"
        documents["/.well-known/openid-configuration"] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def run(*arguments: str, given: bytes | None = None) -> bytes:
        return subprocess.run(["openssl", *arguments], input=given, check=True, capture_output=True).stdout

    def token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "sub": "repo:team/app", "aud": AUDIENCE, "iat": now, "exp": now + 600, **changes}
        header = {"alg": "RS256", "kid": "one", "typ": "JWT"}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{encoded(self.run('dgst', '-sha256', '-sign', str(self.key), given=text.encode()))}"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    provider = Provider(tmp_path)
    yield provider
    provider.server.shutdown()


def deploy_role(server: Server, provider: Provider) -> str:
    """A role that subjects of the provider may have, and that may push; its ARN."""
    iam = aws.client(server, "iam")
    made = iam.create_open_id_connect_provider(Url=provider.url, ClientIDList=[AUDIENCE], ThumbprintList=[])
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider.name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{provider.name}:aud": AUDIENCE},
            "StringLike": {f"{provider.name}:sub": "repo:team/*"},
        },
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)["Role"]
    power = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    iam.attach_role_policy(RoleName="deploy", PolicyArn=power)
    return str(role["Arn"])


def test_a_workload_pushes_with_its_token(trusting: TrustingServer, provider: Provider, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    role = deploy_role(trusting, provider)
    aws.client(trusting).create_repository(repositoryName="app")
    token_file = tmp_path / "token"
    token_file.write_text(provider.token())
    # What GitHub's action and a kubelet set; boto3 finds it by itself.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "build")
    monkeypatch.setenv("AWS_ENDPOINT_URL", trusting.url)
    session = boto3.Session(region_name=trusting.region)
    config = Config(proxies={})
    identity = session.client("sts", config=config).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build"
    ecr = session.client("ecr", config=config)
    registry = aws.registry(trusting, ecr)
    registry.push_small_image("app", "v1", "by a workload")
    assert [image["imageTag"] for image in ecr.list_images(repositoryName="app")["imageIds"]] == ["v1"]
    assert len(provider.asked) == 2

    # The session is the role's: what the role may not do, it may not.
    assert aws.failure(ecr.delete_repository, repositoryName="app", force=True).code == "AccessDeniedException"


def test_tokens_that_are_not_good(trusting: TrustingServer, provider: Provider) -> None:
    role = deploy_role(trusting, provider)
    sts = aws.client(trusting, "sts")

    def code(token: str, arn: str = role) -> str:
        failure = aws.failure(sts.assume_role_with_web_identity, RoleArn=arn, RoleSessionName="build",
                              WebIdentityToken=token)
        return str(failure.code)

    good = sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="build", WebIdentityToken=provider.token())
    assert good["SubjectFromWebIdentityToken"] == "repo:team/app"
    assert good["Audience"] == AUDIENCE
    assert good["Provider"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider.name}"
    assert code(provider.token(sub="repo:others/app")) == "AccessDenied"
    assert code(provider.token(), arn=role + "s") == "AccessDenied"
    assert code(provider.token(aud="others")) == "InvalidIdentityToken"
    assert code(provider.token(iss="https://issuer.example")) == "InvalidIdentityToken"
    assert code(provider.token(exp=int(time.time()) - 1)) == "ExpiredTokenException"
    assert code(provider.token()[:-8] + "AAAAAAAA") == "InvalidIdentityToken"
    assert code("no-token") == "InvalidIdentityToken"


def test_a_provider_that_does_not_answer(trusting: TrustingServer, provider: Provider) -> None:
    role = deploy_role(trusting, provider)
    provider.server.shutdown()
    provider.server.server_close()
    failure = aws.failure(
        aws.client(trusting, "sts").assume_role_with_web_identity,
        RoleArn=role, RoleSessionName="build", WebIdentityToken=provider.token(),
    )
    assert failure.code == "IDPCommunicationError"
