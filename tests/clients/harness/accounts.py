"""A server with two accounts."""

from __future__ import annotations

import base64
import subprocess

from . import aws
from .http import Registry
from .server import ACCOUNT, Server

AWAY = "111122223333"


def tonnage(server: Server, *words: str, status: int = 0) -> str:
    """A subcommand on the server's data directory."""
    done = subprocess.run(
        [str(server.binary), *words, "--data-dir", str(server.data)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(server.directory)},
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


class Two:
    """A server with two accounts, and the root of each."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.home = aws.client(server)
        printed = tonnage(server, "account", "create", AWAY).splitlines()
        keys = {words[0]: words[1] for words in map(str.split, printed) if len(words) == 2}
        self.keys = {name: keys[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
        self.away = aws.client(server, **self.keys)

    def registry_of_away(self) -> Registry:
        """docker of the other account, logged in to the first account's registry."""
        data = self.away.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"][0]
        _, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return Registry(self.server.host, password)
