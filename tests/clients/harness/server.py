"""The binary under test, as a process with a data directory and a port that survive restarts."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from pathlib import Path

from .tools import Output, run, tail, wait_until

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROOT_KEY_ID = "AKIATONNAGETESTROOT1"
ROOT_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NAMED_SUFFIX = "tonnage.test"

START_SECONDS = 60
STOP_SECONDS = 60


def free_port() -> int:
    """A port free on both loopback addresses at the time of asking."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if not has_ipv6_loopback():
                return port
            with socket.socket(socket.AF_INET6) as second:
                try:
                    second.bind(("::1", port))
                except OSError:
                    continue
                return port
    raise AssertionError("no port is free on both loopback addresses")


def has_ipv6_loopback() -> bool:
    """Whether [::1] can be bound here."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Server:
    """One server; `start`, `stop` (graceful) and `kill` may be repeated over the same data."""

    def __init__(self, binary: Path, directory: Path, *, region: str = REGION, data: Path | None = None) -> None:
        self.binary = binary
        self.directory = directory
        self.data = data or directory / "data"
        self.region = region
        self.port = free_port()
        self.public_port = free_port()
        self.log = directory / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    # --- addresses

    @property
    def host(self) -> str:
        """host:port as docker names the registry."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The endpoint of every AWS API."""
        return f"http://{self.host}"

    @property
    def public_host(self) -> str:
        """host:port as docker names public registries."""
        return f"127.0.0.1:{self.public_port}"

    @property
    def public_name(self) -> str:
        """The named host of public registries, which `run` puts into /etc/hosts."""
        return f"public.{NAMED_SUFFIX}:{self.port}"

    @property
    def api_name(self) -> str:
        """The API's named host, which `run` puts into /etc/hosts."""
        return f"api.ecr.{self.region}.{NAMED_SUFFIX}:{self.port}"

    @property
    def registry_name(self) -> str:
        """The registry's named host."""
        return f"{ACCOUNT}.dkr.ecr.{self.region}.{NAMED_SUFFIX}:{self.port}"

    # --- process

    def command(self) -> list[str]:
        """The command line of `serve`."""
        words = [str(self.binary), "serve", "--data-dir", str(self.data), "--listen", self.host]
        if has_ipv6_loopback():
            words += ["--listen", f"[::1]:{self.port}"]
        words += ["--public-listen", self.public_host]
        return words + ["--account", ACCOUNT, "--region", self.region]

    def spawn(self) -> None:
        """Starts the process without waiting for it."""
        assert self.process is None, "already started"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.directory),
                    "RUST_BACKTRACE": "1",
                    "TONNAGE_ROOT_ACCESS_KEY_ID": ROOT_KEY_ID,
                    "TONNAGE_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET,
                },
            )

    def start(self) -> Server:
        """Starts the process and waits until it is ready."""
        self.spawn()
        process = self.process
        assert process is not None

        def ready() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"tonnage ended with {process.returncode}:\n{tail(self.log)}")
            return self.probe("/readyz") == 200

        try:
            wait_until(ready, START_SECONDS, "tonnage ready")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{tail(self.log)}") from None
        return self

    def probe(self, path: str) -> int | None:
        """The status of a GET, or None while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def stop(self) -> int:
        """Asks for a graceful end and returns the exit status."""
        assert self.process is not None, "not started"
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end tonnage in {STOP_SECONDS} s:\n{tail(self.log)}") from None
        self.process = None
        self.check_log()
        return status

    def kill(self) -> None:
        """SIGKILL: what a power cut leaves of a process, though not of the page cache."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        """A graceful stop and a start on the same port."""
        status = self.stop()
        assert status == 0, f"graceful stop ended with {status}:\n{tail(self.log)}"
        self.start()

    def close(self) -> None:
        """Ends the server in whatever state a test left it."""
        if self.process is not None:
            if self.process.poll() is None:
                self.stop()
            else:
                raise AssertionError(f"tonnage had ended with {self.process.returncode}:\n{tail(self.log)}")

    def check_log(self) -> None:
        """No test, whatever it sends, may make the server panic."""
        text = self.log.read_text(errors="replace")
        assert "panicked at" not in text, f"the server panicked:\n{tail(self.log, 200)}"

    # --- the other subcommands

    def subcommand(self, *words: str, status: int | None = 0, env: dict[str, str] | None = None) -> Output:
        """Runs `tonnage WORDS` beside the server."""
        environment = {"HOME": str(self.directory), **(env or {})}
        return run(self.binary, *words, env=environment, status=status)

    def client_environment(self, **changes: str) -> dict[str, str]:
        """What an AWS client needs to find and trust this server."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        return {
            "HOME": str(home),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ROOT_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "NO_PROXY": "*",
            **changes,
        }
