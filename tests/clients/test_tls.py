"""TLS on the listeners: real clients, plain HTTP on the same port, certificates that change."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path
from typing import Iterator

import boto3
import pytest
from botocore.config import Config

from harness import aws
from harness.server import ROOT_KEY_ID, ROOT_SECRET, Server, wait_until
from harness.tls import make_certificate
from harness.tools import run

RELOAD_SECONDS = 30


class SecureServer(Server):
    """A server with a certificate of its own."""

    certificate: Path

    def command(self) -> list[str]:
        self.certificate = self.directory / "tls.crt"
        key = self.directory / "tls.key"
        if not key.exists():
            renew(self.directory)
        return [*super().command(), "--tls-certificate-file", str(self.certificate), "--tls-key-file", str(key)]

    @property
    def secure_url(self) -> str:
        return f"https://{self.host}"


def renew(directory: Path) -> None:
    """Puts a new certificate in place."""
    made = directory / "made"
    made.mkdir(exist_ok=True)
    certificate, key = make_certificate(made)
    shutil.move(key, directory / "tls.key")
    shutil.move(certificate, directory / "tls.crt")


@pytest.fixture
def secure(binary: Path, tmp_path: Path) -> Iterator[SecureServer]:
    server = SecureServer(binary, tmp_path / "server")
    server.start()
    yield server
    server.close()


def presented(server: SecureServer) -> str:
    return ssl.get_server_certificate(("127.0.0.1", server.port)).strip()


def test_clients_over_tls(secure: SecureServer, tmp_path: Path) -> None:
    ecr = boto3.client(
        "ecr",
        endpoint_url=secure.secure_url,
        region_name=secure.region,
        aws_access_key_id=ROOT_KEY_ID,
        aws_secret_access_key=ROOT_SECRET,
        verify=str(secure.certificate),
        config=Config(proxies={}),
    )
    made = ecr.create_repository(repositoryName="app")["repository"]
    assert made["repositoryUri"] == f"{secure.host}/app"
    data = ecr.get_authorization_token()["authorizationData"][0]
    assert data["proxyEndpoint"] == secure.secure_url

    # Plain HTTP on the same port, for this machine.
    plain = aws.registry(secure, aws.client(secure))
    plain.push_small_image("app", "v1", "over both")

    password = run("aws", "ecr", "get-login-password", "--endpoint-url", secure.secure_url, "--region", secure.region,
                   "--ca-bundle", secure.certificate,
                   env={"AWS_ACCESS_KEY_ID": ROOT_KEY_ID, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET}).stdout.strip()
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    shutil.copy(secure.certificate, authorities / "ca.crt")
    copied = tmp_path / "copied"
    run("skopeo", "copy", "--src-cert-dir", authorities, "--src-creds", f"AWS:{password}",
        f"docker://{secure.host}/app:v1", f"dir:{copied}")
    run("skopeo", "copy", "--dest-cert-dir", authorities, "--dest-creds", f"AWS:{password}",
        f"dir:{copied}", f"docker://{secure.host}/app:v2")
    tags = sorted(image["imageTag"] for image in ecr.list_images(repositoryName="app")["imageIds"])
    assert tags == ["v1", "v2"]


def test_http2_and_old_versions(secure: SecureServer) -> None:
    answer = run("curl", "--silent", "--show-error", "--http2", "--cacert", secure.certificate,
                 "--write-out", "%{http_version} %{http_code}", f"{secure.secure_url}/healthz").stdout
    assert answer == "ok\n2 200"
    context = ssl.create_default_context(cafile=str(secure.certificate))
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secure.port)) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_what_is_neither_tls_nor_http(secure: SecureServer) -> None:
    for first in (b"\x16\x03\x01\x00\x05hello", b"\x16", b"\x00\x00"):
        with socket.create_connection(("127.0.0.1", secure.port)) as connection:
            connection.sendall(first)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(20)
            while connection.recv(4096):
                pass
    assert secure.probe("/healthz") == 200


def test_a_new_certificate_is_used_without_a_restart(secure: SecureServer) -> None:
    first = presented(secure)
    assert first == secure.certificate.read_text().strip()
    # What cannot be used changes nothing.
    secure.certificate.write_text("no certificate\n")
    wait_until(lambda: "the old one stays" in secure.log.read_text(), RELOAD_SECONDS, "a refusal")
    assert presented(secure) == first
    renew(secure.directory)
    wait_until(lambda: presented(secure) != first, RELOAD_SECONDS, "the new certificate")
    assert presented(secure) == secure.certificate.read_text().strip()
