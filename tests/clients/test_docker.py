"""docker and docker-compose on a private engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import aws, image
from harness.engine import Docker
from harness.http import Registry, digest_of
from harness.server import ACCOUNT, Server


def load(docker: Docker, directory: Path, name: str, built: image.Image) -> None:
    """Puts a built image into the engine under a name."""
    archive = directory / "image.tar"
    image.write_docker_archive(archive, name, built)
    docker.docker("load", "--input", archive)
    archive.unlink()


def run_container(docker: Docker, name: str, *command: str) -> str:
    """Runs a container without a network and returns what it printed."""
    return docker.docker("run", "--rm", "--network", "none", "--pull", "never", name, *command).stdout.strip()


def test_push_pull_run(
    server: Server, docker: Docker, ecr: Any, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    name = f"{server.host}/{repository}:v1"
    load(docker, tmp_path, name, busybox)
    docker.docker("push", name)
    pushed = docker.digest_of(name)
    assert ecr.describe_images(repositoryName=repository)["imageDetails"][0]["imageDigest"] == pushed

    docker.forget(name)
    docker.docker("pull", name)
    assert docker.digest_of(name) == pushed
    assert run_container(docker, name) == "busybox"

    # By digest, with nothing kept locally.
    docker.forget(name)
    pinned = f"{server.host}/{repository}@{pushed}"
    docker.docker("pull", pinned)
    assert run_container(docker, pinned) == "busybox"
    docker.forget(pinned)


def test_ten_layers(
    server: Server, docker: Docker, registry: Registry, repository: str, ten_layers: image.Image, tmp_path: Path
) -> None:
    name = f"{server.host}/{repository}:ten"
    load(docker, tmp_path, name, ten_layers)
    docker.docker("push", name)
    manifest = registry.get_manifest(
        repository, "ten", accept="application/vnd.docker.distribution.manifest.v2+json"
    ).expect(200)
    assert len(manifest.json()["layers"]) == 10
    for entry in [manifest.json()["config"], *manifest.json()["layers"]]:
        content = registry.get_blob(repository, entry["digest"]).expect(200).body
        assert (digest_of(content), len(content)) == (entry["digest"], entry["size"])
    docker.forget(name)
    docker.docker("pull", name)
    assert run_container(docker, name) == "harvest"
    docker.forget(name)


def test_big_layer(server: Server, docker: Docker, repository: str, big: image.Image, tmp_path: Path) -> None:
    name = f"{server.host}/{repository}:big"
    load(docker, tmp_path, name, big)
    docker.docker("push", name, seconds=600)
    pushed = docker.digest_of(name)
    docker.forget(name)
    docker.docker("pull", name, seconds=600)
    assert docker.digest_of(name) == pushed
    assert run_container(docker, name) == "/usr/sbin/dockerd"
    docker.forget(name)


def test_restart_between_push_and_pull(
    docker: Docker, own_server: Server, busybox: image.Image, tmp_path: Path
) -> None:
    ecr = aws.client(own_server)
    ecr.create_repository(repositoryName="restart")
    docker.login(own_server.host, aws.registry_password(ecr))
    first, second = (f"{own_server.host}/restart:{tag}" for tag in ("v1", "v2"))
    load(docker, tmp_path, first, busybox)
    docker.docker("push", first)
    pushed = docker.digest_of(first)
    own_server.restart()
    docker.docker("tag", first, second)
    docker.docker("push", second)
    docker.forget(first, second)
    docker.docker("pull", first)
    assert docker.digest_of(first) == pushed
    assert run_container(docker, first) == "busybox"
    docker.forget(first)


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_build_on_a_pulled_base(
    server: Server, docker: Docker, repository: str, busybox: image.Image, tmp_path: Path, buildkit: str
) -> None:
    base, derived = (f"{server.host}/{repository}:{tag}" for tag in ("base", "derived"))
    load(docker, tmp_path, base, busybox)
    docker.docker("push", base)
    docker.forget(base)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f'FROM {base}\nRUN echo built with {buildkit} > /etc/built\nCMD ["/bin/cat", "/etc/built"]\n'
    )
    docker.build(context, derived, buildkit=buildkit == "1")
    docker.docker("push", derived)
    docker.forget(derived)
    docker.docker("pull", derived)
    assert run_container(docker, derived) == f"built with {buildkit}"
    docker.forget(derived)


def test_manifest_list(
    server: Server, docker: Docker, ecr: Any, registry: Registry, repository: str, tmp_path: Path
) -> None:
    names = []
    for architecture in ("amd64", "arm64"):
        name = f"{server.host}/{repository}:{architecture}"
        load(docker, tmp_path, name, image.busybox_image(f"for {architecture}", architecture=architecture))
        docker.docker("push", name)
        names.append(name)
    several = f"{server.host}/{repository}:multi"
    docker.docker("manifest", "create", "--insecure", several, *names)
    docker.docker("manifest", "annotate", "--arch", "arm64", several, names[1])
    pushed = docker.docker("manifest", "push", "--insecure", several).stdout.strip()

    listed = registry.get_manifest(
        repository, "multi", accept="application/vnd.docker.distribution.manifest.list.v2+json"
    ).expect(200)
    assert digest_of(listed.body) == pushed
    assert [entry["platform"]["architecture"] for entry in listed.json()["manifests"]] == ["amd64", "arm64"]

    docker.forget(*names)
    docker.docker("pull", several)
    assert run_container(docker, several) == "for amd64"
    docker.docker("pull", "--platform", "linux/arm64", several)
    inspected = json.loads(docker.docker("image", "inspect", several).stdout)[0]
    assert inspected["Architecture"] == "arm64"
    docker.forget(several)

    children = [entry["digest"] for entry in listed.json()["manifests"]]
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": children[0]}])
    assert answer["failures"][0]["failureCode"] == "ImageReferencedByManifestList"


def test_immutable_tag(server: Server, docker: Docker, ecr: Any, busybox: image.Image, tmp_path: Path) -> None:
    repository = aws.unique_name("docker/immutable")
    ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    name = f"{server.host}/{repository}:v1"
    load(docker, tmp_path, name, busybox)
    docker.docker("push", name)
    load(docker, tmp_path, name, image.busybox_image("another"))
    out = docker.docker("push", name, status=-1)
    message = (
        f"tag invalid: The image tag 'v1' already exists in the '{repository}' repository "
        "and cannot be overwritten because the tag is immutable."
    )
    assert message in out.text, str(out)
    docker.forget(name)


def test_what_docker_says_about_a_missing_repository(
    server: Server, docker: Docker, busybox: image.Image, tmp_path: Path
) -> None:
    name = f"{server.host}/docker/nowhere:v1"
    load(docker, tmp_path, name, busybox)
    out = docker.docker("push", name, status=-1)
    expected = f"The repository with name 'docker/nowhere' does not exist in the registry with id '{ACCOUNT}'"
    assert f"name unknown: {expected}" in out.text, str(out)
    docker.forget(name)
    out = docker.docker("pull", name, status=-1)
    assert expected in out.text or "not found" in out.text, str(out)


def test_what_docker_says_about_a_missing_image(server: Server, docker: Docker, repository: str) -> None:
    out = docker.docker("pull", f"{server.host}/{repository}:absent", status=-1)
    assert "not found" in out.text or "Requested image not found" in out.text, str(out)


def test_login(server: Server, docker: Docker, own_server: Server) -> None:
    docker.login(own_server.host, "not-a-token", status=-1)
    out = docker.docker("pull", f"{own_server.host}/any:v1", status=-1)
    assert "no basic auth credentials" in out.text, str(out)
    out = docker.login(own_server.host, aws.registry_password(aws.client(own_server)))
    assert "Login Succeeded" in out.text
    docker.docker("logout", own_server.host)


@pytest.mark.parametrize("cli", aws.COMMAND_LINES, ids=lambda cli: cli.name)
def test_login_with_the_aws_command_line(server: Server, docker: Docker, cli: aws.CommandLine) -> None:
    """The line every ECR guide starts with."""
    password = cli.run(server, "ecr", "get-login-password", "--region", server.region).stdout
    assert "Login Succeeded" in docker.login(server.host, password).text


def test_named_host(server: Server, docker: Docker, repository: str, busybox: image.Image, tmp_path: Path) -> None:
    host = server.registry_name
    docker.login(host, aws.registry_password(aws.client(server)))
    name = f"{host}/{repository}:v1"
    load(docker, tmp_path, name, busybox)
    docker.docker("push", name)
    docker.forget(name)
    docker.docker("pull", name)
    assert run_container(docker, name) == "busybox"
    docker.forget(name)


def test_compose(server: Server, docker: Docker, repository: str, busybox: image.Image, tmp_path: Path) -> None:
    name = f"{server.host}/{repository}:v1"
    load(docker, tmp_path, name, busybox)
    docker.docker("push", name)
    docker.forget(name)
    project = tmp_path / "project"
    project.mkdir()
    (project / "docker-compose.yml").write_text(
        f'version: "3"\nservices:\n  app:\n    image: {name}\n    network_mode: host\n'
    )
    docker.compose(project, "pull")
    out = docker.compose(project, "run", "--rm", "app")
    assert "busybox" in out.stdout, str(out)
    out = docker.compose(project, "up", "--no-color")
    assert "exited with code 0" in out.text, str(out)
    docker.compose(project, "down")
    # The other direction: compose pushes what it built.
    (project / "Dockerfile").write_text(f"FROM {name}\nLABEL made=by-compose\n")
    built = f"{server.host}/{repository}:composed"
    (project / "docker-compose.yml").write_text(
        f'version: "3"\nservices:\n  app:\n    image: {built}\n    build: .\n    network_mode: host\n'
    )
    docker.compose(project, "build")
    docker.compose(project, "push")
    docker.forget(built, name)
    docker.compose(project, "pull")
    docker.forget(built)


def test_ctr(server: Server, docker: Docker, repository: str, busybox: image.Image, tmp_path: Path) -> None:
    """containerd's own client, on the containerd below docker."""
    first, second = (f"{server.host}/{repository}:{tag}" for tag in ("v1", "v2"))
    load(docker, tmp_path, first, busybox)
    docker.docker("push", first)
    user = ("--plain-http", "--user", "AWS:" + aws.registry_password(aws.client(server)))
    docker.ctr("images", "pull", *user, first)
    out = docker.ctr("run", "--rm", first, f"ctr-{repository.replace('/', '-')}")
    assert out.stdout.strip() == "busybox"
    docker.ctr("images", "tag", first, second)
    docker.ctr("images", "push", *user, second)
    registry = aws.registry(server, aws.client(server))
    accept = "application/vnd.docker.distribution.manifest.v2+json"
    assert registry.get_manifest(repository, "v2", accept).body == registry.get_manifest(repository, "v1", accept).body
    docker.ctr("images", "rm", first, second)
    docker.forget(first)
