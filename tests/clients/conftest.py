"""Fixtures of the real-client suite: one server, one docker engine and one set of images per run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws, image
from harness.engine import Containers, Docker
from harness.http import Registry
from harness.server import Server
from harness.tools import tail


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "may_be_absent: the client is in no package; without it the test is skipped")
    # Chosen before collection, so that the value in the report reproduces the run.
    if config.getoption("--seed") is None:
        config.option.seed = int.from_bytes(os.urandom(4), "big")
    # Nothing of the machine's AWS settings may reach boto3.
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def pytest_report_header(config: pytest.Config) -> str:
    return f"tonnage: {config.getoption('--binary')}, seed {config.getoption('--seed')}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A skipped client is a client nobody tested, unless no package brings it.
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if any("may_be_absent" not in report.keywords for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            log = getattr(value, "log", None)
            if isinstance(log, Path):
                report.sections.append((f"tail of {name}'s log", tail(log)))
    return report


@pytest.fixture(scope="session")
def binary(request: pytest.FixtureRequest) -> Path:
    """The binary under test."""
    path: Path = request.config.getoption("--binary").resolve()
    assert path.exists(), f"{path} does not exist: build it with `cargo build --locked`"
    return path


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run."""
    return int(request.config.getoption("--seed"))


@pytest.fixture(scope="session")
def server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server most tests share."""
    running = Server(binary, tmp_path_factory.mktemp("server")).start()
    yield running
    running.close()


@pytest.fixture
def own_server(binary: Path, tmp_path: Path) -> Iterator[Server]:
    """A server for one test, with an empty data directory."""
    running = Server(binary, tmp_path / "server").start()
    yield running
    running.close()


@pytest.fixture(scope="session")
def ecr(server: Server) -> Any:
    """A boto3 client of the shared server."""
    return aws.client(server)


@pytest.fixture
def repository(ecr: Any) -> str:
    """A fresh repository of the shared server."""
    name = aws.unique_name()
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture(scope="session")
def registry(server: Server, ecr: Any) -> Registry:
    """A raw OCI client of the shared server."""
    return aws.registry(server, ecr)


@pytest.fixture(scope="session")
def docker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A private docker engine, logged in."""
    engine = Docker(tmp_path_factory.mktemp("engine") / "docker").start()
    engine.login(server.host, aws.registry_password(aws.client(server)))
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def containers(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """podman, buildah and skopeo, logged in."""
    tools = Containers(tmp_path_factory.mktemp("containers") / "state")
    tools.trust(server.host, server.registry_name)
    tools.login(server.host, aws.registry_password(aws.client(server)))
    yield tools
    tools.close()


@pytest.fixture(scope="session")
def busybox() -> image.Image:
    """An image that prints `busybox`."""
    return image.busybox_image("busybox")


@pytest.fixture(scope="session")
def ten_layers() -> image.Image:
    """An image of ten Debian packages, one per layer."""
    return image.ten_layer_image()


@pytest.fixture(scope="session")
def big() -> image.Image:
    """An image with one layer of more than 150 MB."""
    return image.big_image()
