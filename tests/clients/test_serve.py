"""The binary as an operator meets it: start, health, restart, a second opener, its own subcommands."""

from __future__ import annotations

import http.client
import shlex
import socket
from typing import Any

import pytest

from harness import aws
from harness.http import digest_of, send
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server, has_ipv6_loopback
from harness.tools import TOOL_PATH, run, tail


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health(server: Server, path: str) -> None:
    assert send(server.host, "GET", path).status == 200


def test_listens_on_every_address_given(server: Server) -> None:
    assert has_ipv6_loopback(), "this machine has no [::1]"
    connection = http.client.HTTPConnection("::1", server.port, timeout=10)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_tls_greeting_is_answered_in_plain_http(server: Server) -> None:
    """Go's clients tell "this is no TLS" by the letters HTTP/, and only then try plain HTTP."""
    greeting = bytes.fromhex("16030100510100004d0303") + bytes(32) + bytes.fromhex("000004c02fc030010000200000")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(greeting + b"\r\n\r\n")
        assert connection.recv(5) == b"HTTP/"


def test_restart_keeps_everything(own_server: Server) -> None:
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="kept", tags=[{"Key": "team", "Value": "harbour"}])
    registry = aws.registry(own_server, ecr)
    image = registry.push_small_image("kept", "v1", "restart", layers=2)
    before = ecr.describe_images(repositoryName="kept")["imageDetails"]

    own_server.restart()

    # The token issued before the restart must still be good: logins outlive the process.
    assert registry.get_manifest("kept", "v1").expect(200).body == image.manifest
    for blob in image.blobs:
        assert registry.get_blob("kept", digest_of(blob)).expect(200).body == blob
    assert ecr.describe_images(repositoryName="kept")["imageDetails"] == before
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/kept"
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "harbour"}]


def test_graceful_stop_finishes_the_request_under_way(own_server: Server) -> None:
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="busy")
    registry = aws.registry(own_server, ecr)
    content = bytes(range(256)) * 4096
    head = (
        f"PATCH {registry.start_upload('busy')} HTTP/1.1\r\nHost: {own_server.host}\r\n"
        f"Authorization: {registry.authorization}\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {len(content)}\r\nExpect: 100-continue\r\n\r\n"
    )
    process = own_server.process
    assert process is not None
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=60) as connection:
        connection.sendall(head.encode())
        # The server asks for the body, so the request is being served; the stop must wait for its end.
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        process.terminate()
        connection.sendall(content)
        answer = connection.recv(4096)
    assert answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 202")), answer
    assert process.wait(60) == 0, tail(own_server.log)
    own_server.process = None
    own_server.check_log()


def test_second_opener_is_refused(server: Server, binary: Any, tmp_path: Any) -> None:
    second = Server(binary, tmp_path / "second", data=server.data)
    second.spawn()
    assert second.process is not None
    assert second.process.wait(60) not in (0, None)
    second.process = None
    assert str(server.data) in second.log.read_text(), tail(second.log)
    assert server.probe("/readyz") == 200


def test_env_is_evaluated_by_a_shell(server: Server) -> None:
    script = (
        f'eval "$({shlex.quote(str(server.binary))} env --data-dir {shlex.quote(str(server.data))})"; '
        'printf "%s\\n" "$AWS_ENDPOINT_URL" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" '
        '"$AWS_REGION" "$AWS_DEFAULT_REGION" "$NO_PROXY"; '
        f"exec {shlex.quote(str(aws.COMMAND_LINES[0].program))} sts get-caller-identity --query Account --output text"
    )
    env = {"PATH": TOOL_PATH, "HOME": str(server.directory), "AWS_EC2_METADATA_DISABLED": "true"}
    lines = run("bash", "-euc", script, env=env).stdout.splitlines()
    endpoint, key_id, secret, region, default_region, no_proxy, account = lines
    assert endpoint in (server.url, server.url.replace("127.0.0.1", "localhost"))
    assert (key_id, secret) == (ROOT_KEY_ID, ROOT_SECRET)
    assert region == default_region == server.region
    assert "127.0.0.1" in no_proxy
    assert account == ACCOUNT


def test_docker_login_subcommand(server: Server, tmp_path: Any, docker: Any) -> None:
    # The subcommand calls docker's client with whatever configuration the caller has.
    config = tmp_path / "docker"
    env = {**docker.environment, **server.client_environment(), "DOCKER_CONFIG": str(config), "PATH": TOOL_PATH}
    # Without options, as the first-push page says: the server is found by the environment.
    env["TONNAGE_DATA_DIR"] = str(server.data)
    server.subcommand("docker-login", env=env)
    name = aws.unique_name()
    aws.client(server).create_repository(repositoryName=name)
    out = run("docker", "pull", f"{server.host}/{name}:absent", env=env, status=-1)
    assert "not found" in out.text or "manifest unknown" in out.text, str(out)


def test_doctor_finds_a_healthy_server(server: Server) -> None:
    server.subcommand("doctor", "--data-dir", str(server.data), env=server.client_environment())


def test_unknown_option_is_refused(server: Server) -> None:
    out = server.subcommand("serve", "--no-such-option", status=-1)
    assert "--no-such-option" in out.text, str(out)
