"""Container engines that belong to the suite: a private dockerd, and podman, buildah, skopeo on private storage."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .tools import TOOL_PATH, Output, run, storage_driver, tail, wait_until

START_SECONDS = 60
STOP_SECONDS = 30


def short_directory(directory: Path, length_max: int) -> Path:
    """The directory itself, or where its path is too long for a program a fresh one with a short path."""
    if len(str(directory)) <= length_max:
        return directory
    return Path(tempfile.mkdtemp(prefix="suite-", dir="/run"))


def remove_mounts(*directories: Path) -> None:
    """Unmounts what engines left mounted, which would keep the directories from being removed."""
    below = tuple(f"{directory}/" for directory in directories)
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in reversed(mounted):
        if mount.startswith(below):
            run("umount", "--lazy", mount, status=None)


class Docker:
    """A dockerd with its own state, socket and containerd."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.log = directory / "dockerd.log"
        # A Unix socket's path has at most 107 bytes, and containerd adds its own below this one.
        self.sockets = short_directory(directory, 60)
        self.socket = self.sockets / "docker.sock"
        self.config = directory / "client"
        self.config.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def containerd(self) -> Path:
        """The socket of the containerd that dockerd keeps; ctr speaks to it."""
        return self.sockets / "exec" / "containerd" / "containerd.sock"

    def start(self) -> Docker:
        """Starts dockerd without a bridge and without touching the machine's packet filter."""
        settings = self.directory / "daemon.json"
        settings.write_text("{}")
        driver = {"overlay": "overlay2", "vfs": "vfs"}[storage_driver(self.directory)]
        command = [
            "dockerd",
            f"--config-file={settings}",
            f"--data-root={self.directory / 'data'}",
            f"--exec-root={self.sockets / 'exec'}",
            f"--pidfile={self.directory / 'docker.pid'}",
            f"--host=unix://{self.socket}",
            "--group=root",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            f"--storage-driver={driver}",
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": TOOL_PATH, "HOME": str(self.directory), "NO_PROXY": "*"},
            )
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"dockerd ended with {process.returncode}")
            return self.socket.exists() and self.docker("version", status=None).status == 0

        try:
            wait_until(ready, START_SECONDS, "dockerd ready")
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{tail(self.log)}") from None
        return self

    def stop(self) -> None:
        """Ends dockerd, which ends its containerd."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        remove_mounts(self.directory, self.sockets)
        if self.sockets != self.directory:
            shutil.rmtree(self.sockets, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What docker and docker-compose need to reach this engine."""
        return {
            "HOME": str(self.directory),
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.config),
            "DOCKER_CLI_EXPERIMENTAL": "enabled",
            "NO_PROXY": "*",
        }

    def docker(self, *words: str | Path, status: int | None = 0, **settings: object) -> Output:
        """Runs `docker WORDS`."""
        return run("docker", *words, env=self.environment, status=status, **settings)

    def build(self, context: Path, name: str, *, buildkit: bool) -> Output:
        """`docker build` with either of docker's two builders."""
        env = {**self.environment, "DOCKER_BUILDKIT": "1" if buildkit else "0"}
        words = ("docker", "build", "--network", "host", "--no-cache", "--tag", name, context)
        return run(*words, env=env)

    def compose(self, project: Path, *words: str, status: int | None = 0) -> Output:
        """Runs `docker-compose WORDS` in a project's directory."""
        env = {**self.environment, "COMPOSE_PROJECT_NAME": project.name}
        return run("docker-compose", "--ansi", "never", *words, env=env, cwd=project, status=status)

    def ctr(self, *words: str, status: int | None = 0) -> Output:
        """Runs `ctr WORDS` on this engine's containerd, in a namespace docker does not use."""
        address = ("--address", str(self.containerd), "--namespace", "suite")
        return run("ctr", *address, *words, status=status)

    def login(self, host: str, password: str, status: int | None = 0) -> Output:
        """`docker login` as the AWS documentation says."""
        return self.docker("login", "--username", "AWS", "--password-stdin", host, stdin=password, status=status)

    def forget(self, *names: str) -> None:
        """Removes images, so that the next pull has to fetch every byte."""
        self.docker("image", "rm", "--force", *names)

    def digest_of(self, name: str) -> str:
        """The manifest digest docker recorded when it pushed or pulled a name."""
        recorded = json.loads(self.docker("image", "inspect", name).stdout)[0]["RepoDigests"]
        repository = name.rpartition(":")[0]
        return next(entry.partition("@")[2] for entry in recorded if entry.startswith(repository + "@"))


class Containers:
    """podman, buildah and skopeo with storage, settings and credentials of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        # podman refuses a run root of more than 50 characters, but only when it cleans up.
        self.state = short_directory(directory, 40)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = min(1024, soft if hard == resource.RLIM_INFINITY else hard)
        (directory / "storage.conf").write_text(
            "[storage]\n"
            f'driver = "{storage_driver(directory)}"\n'
            f'runroot = "{self.state / "run"}"\n'
            f'graphroot = "{directory / "graph"}"\n'
        )
        # runc takes any mix of cgroup versions. podman raises RLIMIT_NOFILE above our hard limit
        # unless told otherwise, and that takes a capability that virtual machines may withhold.
        (directory / "containers.conf").write_text(
            "[containers]\n"
            f'default_ulimits = ["nofile={files}:{files}", "nproc=1024:1024"]\n'
            'netns = "host"\n'
            'log_driver = "k8s-file"\n'
            "[engine]\n"
            'runtime = "runc"\n'
            'cgroup_manager = "cgroupfs"\n'
            'events_logger = "file"\n'
            f'tmp_dir = "{self.state / "tmp"}"\n'
        )
        self.trust()
        (directory / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def close(self) -> None:
        """Removes the state, where it is outside of the given directory."""
        remove_mounts(self.directory, self.state)
        if self.state != self.directory:
            shutil.rmtree(self.state, ignore_errors=True)

    def trust(self, *hosts: str) -> None:
        """Lets the tools speak plain HTTP to hosts."""
        text = "unqualified-search-registries = []\n"
        for host in hosts:
            text += f'[[registry]]\nlocation = "{host}"\ninsecure = true\n'
        # podman and buildah read the file their variable names, this skopeo only the user's.
        for path in (self.directory / "registries.conf", self.directory / ".config/containers/registries.conf"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """Where the three tools find their files."""
        return {
            "HOME": str(self.directory),
            "XDG_RUNTIME_DIR": str(self.directory),
            "CONTAINERS_CONF": str(self.directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.directory / "registries.conf"),
            "REGISTRY_AUTH_FILE": str(self.directory / "auth.json"),
            "BUILDAH_ISOLATION": "chroot",
            "NO_PROXY": "*",
        }

    def podman(self, *words: str | Path, status: int | None = 0, **settings: object) -> Output:
        """Runs `podman WORDS`."""
        return run("podman", *words, env=self.environment, status=status, **settings)

    def buildah(self, *words: str | Path, status: int | None = 0, **settings: object) -> Output:
        """Runs `buildah WORDS`."""
        return run("buildah", *words, env=self.environment, status=status, **settings)

    def skopeo(self, *words: str | Path, status: int | None = 0, **settings: object) -> Output:
        """Runs `skopeo WORDS`."""
        policy = ("--policy", self.directory / "policy.json")
        return run("skopeo", *policy, *words, env=self.environment, status=status, **settings)

    def start_skopeo(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Starts `skopeo WORDS`, for the caller to end."""
        command = ["skopeo", "--policy", str(self.directory / "policy.json"), *map(str, words)]
        environment = {"PATH": TOOL_PATH, "LC_ALL": "C.UTF-8", **self.environment}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def login(self, host: str, password: str, *, tool: str = "skopeo", status: int | None = 0) -> Output:
        """`TOOL login`; the three share one file of credentials."""
        words = (tool, "login", "--tls-verify=false", "--username", "AWS", "--password-stdin", host)
        return run(*words, env=self.environment, stdin=password, status=status)

    def raw_manifest(self, reference: str) -> bytes:
        """A manifest's bytes as skopeo received them."""
        return self.skopeo("inspect", "--raw", f"docker://{reference}").stdout.encode()
