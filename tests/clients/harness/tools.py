"""Running command-line tools, with their output in every failure."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable

# Tools come from Debian's directories; the suite is about those builds.
TOOL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Output:
    """What a finished command left."""

    command: str
    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Both streams, for assertions on messages that tools put on either."""
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return f"$ {self.command}\n[status {self.status}]\n{self.stdout}\n{self.stderr}"


def run(
    *command: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    seconds: float = 180,
    status: int | None = 0,
) -> Output:
    """Runs a command and requires its exit status; `status=None` takes any, `-1` any failure."""
    words = [str(word) for word in command]
    finished = subprocess.run(
        words,
        env={"PATH": TOOL_PATH, "LC_ALL": "C.UTF-8", **(env or {})},
        cwd=cwd,
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )
    output = Output(shlex.join(words), finished.returncode, finished.stdout, finished.stderr)
    if status == -1:
        assert output.status != 0, f"should have failed:\n{output}"
    elif status is not None:
        assert output.status == status, str(output)
    return output


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Polls until the condition holds; says what was awaited when it never does."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        pause.wait(0.02)


def tail(path: Path, lines: int = 40) -> str:
    """The end of a log file, for a failure's report."""
    if not path.exists():
        return f"({path.name} was not written)"
    text = path.read_text(errors="replace").splitlines()
    return "\n".join(text[-lines:])


def filesystem_of(path: Path) -> str:
    """The kind of file system under a path, as `stat -f` names it."""
    return run("stat", "-f", "-c", "%T", path).stdout.strip()


def storage_driver(directory: Path) -> str:
    """overlay needs a real file system below it; on another overlay every layer is a copy."""
    return "vfs" if filesystem_of(directory) in ("overlayfs", "fuseblk") else "overlay"
