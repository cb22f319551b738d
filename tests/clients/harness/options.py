"""The suite's command-line options.

They are a plugin of their own, loaded by `-p`, because a conftest is found too late: pytest would
take the value of `--binary` for a path to tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Registers them with pytest."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    group = parser.getgroup("tonnage")
    group.addoption("--binary", type=Path, default=target / "debug" / "tonnage", help="the binary under test")
    group.addoption("--seed", type=int, default=None, help="seed of the crash tests; random and printed when absent")
    group.addoption("--points", type=int, default=25, help="how many times the crash test kills the server")
    group.addoption("--disk-steps", type=int, default=12, help="how many fill levels the full-disk test tries")
