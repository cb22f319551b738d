"""docker-credential-tonnage: docker with a credential helper in place of logins."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws, image
from harness.engine import Docker
from harness.http import Registry
from harness.server import ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tls import TlsProxy
from harness.tools import TOOL_PATH, Output, run
from test_docker import load

KEY = {"AWS_ACCESS_KEY_ID": ROOT_KEY_ID, "AWS_SECRET_ACCESS_KEY": ROOT_SECRET}
NOT_FOUND = "credentials not found in native keychain"


@pytest.fixture
def helper(binary: Path, tmp_path: Path) -> Path:
    """The program under the name by which docker calls it."""
    link = tmp_path / "bin" / "docker-credential-tonnage"
    link.parent.mkdir()
    link.symlink_to(binary)
    return link


def ask(helper: Path, action: str, text: str = "", *, status: int = 0, **env: str) -> Output:
    """What docker does with a helper."""
    return run(helper, action, stdin=text, status=status, env={"HOME": str(helper.parent), "NO_PROXY": "*", **env})


def works(server: Server, secret: str) -> bool:
    """Whether the registry takes a password."""
    return Registry(server.host, secret).send("GET", "/v2/").status == 200


@pytest.fixture
def with_helper(docker: Docker, server: Server, helper: Path) -> Iterator[dict[str, str]]:
    """An environment in which docker asks the helper for the server's host, and never logged in."""
    directory = helper.parent / "docker"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"credHelpers": {server.host: "tonnage"}}))
    yield {
        **docker.environment,
        "DOCKER_CONFIG": str(directory),
        "HOME": str(directory),
        "PATH": f"{helper.parent}:{TOOL_PATH}",
    }


def test_docker_needs_no_login(
    server: Server,
    docker: Docker,
    repository: str,
    with_helper: dict[str, str],
    busybox: image.Image,
    tmp_path: Path,
) -> None:
    name = f"{server.host}/{repository}:v1"
    load(docker, tmp_path, name, busybox)
    iam = aws.client(server, "iam")
    user = aws.unique_name("user").replace("/", "-")
    iam.create_user(UserName=user)
    arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    iam.attach_user_policy(UserName=user, PolicyArn=arn)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    env = {
        **with_helper,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    run("docker", "push", name, env=env)
    docker.forget(name)
    run("docker", "pull", name, env=env)
    docker.forget(name)

    iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    # Docker keeps what the helper says to itself.
    refused = run("docker", "pull", name, env=env, status=-1)
    assert "no basic auth credentials" in refused.text, str(refused)


def test_where_the_key_comes_from(server: Server, helper: Path) -> None:
    """Variables, a profile, a program, and the data directory of a server on this machine."""
    configuration = helper.parent / ".aws"
    configuration.mkdir()
    written = json.dumps({"Version": 1, "AccessKeyId": ROOT_KEY_ID, "SecretAccessKey": ROOT_SECRET})
    (configuration / "key.json").write_text(written)
    (configuration / "config").write_text(
        f"[profile program]\ncredential_process = cat '{configuration / 'key.json'}'\n[profile role]\nrole_arn = x\n"
    )
    (configuration / "credentials").write_text(
        f"[keys]\naws_access_key_id = {ROOT_KEY_ID}\naws_secret_access_key = {ROOT_SECRET}\n"
    )
    data = {"TONNAGE_DATA_DIR": str(server.data)}
    for env in (KEY, {"AWS_PROFILE": "keys"}, {"AWS_PROFILE": "program"}, data):
        answer = json.loads(ask(helper, "get", server.host, **env).stdout)
        assert (answer["ServerURL"], answer["Username"]) == (server.host, "AWS"), env
        assert works(server, answer["Secret"]), env
    for env, reason in (
        ({}, "there are no AWS credentials"),
        ({"AWS_PROFILE": "role"}, "credential_process"),
        ({"AWS_PROFILE": "gone"}, "there is no profile"),
        ({**KEY, "AWS_SECRET_ACCESS_KEY": "other"}, "the server gave no token (400"),
    ):
        refused = ask(helper, "get", server.host, status=1, **env)
        assert reason in refused.stdout, str(refused)
    assert server.host in json.loads(ask(helper, "list", **data).stdout)


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A web server that is no registry of ours; a signature must never reach it."""
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert "authorization" not in self.headers
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Bearer realm="https://auth.example.com/token"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_not_asked_for(server: Server, helper: Path, elsewhere: str) -> None:
    # Docker takes this sentence for "go on without credentials".
    assert ask(helper, "get", elsewhere, status=1, **KEY).stdout.strip() == NOT_FOUND
    assert "nothing to keep" in ask(helper, "store", "{}", status=1, **KEY).stdout
    assert ask(helper, "erase", server.host, **KEY).stdout == ""
    assert json.loads(ask(helper, "list", **KEY).stdout) == {}
    assert "is no host" in ask(helper, "get", "user@host", status=1, **KEY).stdout
    assert ask(helper, "version").stdout.startswith("docker-credential-tonnage ")


def test_tls(server: Server, helper: Path, tmp_path: Path) -> None:
    with TlsProxy(tmp_path, server.port) as proxy:
        # An endpoint with `https:` asks for TLS even on this machine.
        env = {**KEY, "AWS_ENDPOINT_URL": f"https://{proxy.host}"}
        trusting = {**env, "SSL_CERT_FILE": str(proxy.certificate)}
        assert works(server, json.loads(ask(helper, "get", proxy.host, **trusting).stdout)["Secret"])
        assert "no TLS with" in ask(helper, "get", proxy.host, status=1, **env).stdout
