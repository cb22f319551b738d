"""boto3 and the AWS command lines, pointed at the server under test."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from .http import Registry
from .server import ROOT_KEY_ID, ROOT_SECRET, Server
from .tools import Output, run

_numbers = itertools.count(1)


def unique_name(stem: str = "suite/repository") -> str:
    """A repository name no other test of this run uses."""
    return f"{stem}-{next(_numbers)}"


def client(server: Server, service: str = "ecr", *, url: str | None = None, **settings: Any) -> Any:
    """A boto3 client that does not retry, so that a test sees the first answer."""
    values: dict[str, Any] = {
        "aws_access_key_id": ROOT_KEY_ID,
        "aws_secret_access_key": ROOT_SECRET,
        "region_name": server.region,
        **settings,
    }
    config = botocore.config.Config(
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=120,
        proxies={},
        parameter_validation=values.pop("parameter_validation", True),
    )
    return boto3.session.Session().client(service, endpoint_url=url or server.url, config=config, **values)


def registry_password(ecr: Any) -> str:
    """The password inside an authorization token."""
    data = ecr.get_authorization_token()["authorizationData"]
    assert len(data) == 1, data
    user, _, password = base64.b64decode(data[0]["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    return password


def public_password(public: Any) -> str:
    """The password inside an authorization token of ECR Public."""
    token = public.get_authorization_token()["authorizationData"]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    assert user == "AWS"
    return password


def registry(server: Server, ecr: Any) -> Registry:
    """A raw OCI client with a fresh token."""
    return Registry(server.host, registry_password(ecr))


@dataclasses.dataclass(frozen=True)
class Failure:
    """An AWS error as botocore hands it to a program."""

    code: str
    message: str
    status: int
    response: dict[str, Any]


def failure(action: Any, **parameters: Any) -> Failure:
    """Calls and requires an AWS error."""
    try:
        answer = action(**parameters)
    except botocore.exceptions.ClientError as error:
        response = error.response
        return Failure(
            response["Error"]["Code"],
            response["Error"]["Message"],
            response["ResponseMetadata"]["HTTPStatusCode"],
            response,
        )
    raise AssertionError(f"should have failed, answered {answer}")


@dataclasses.dataclass(frozen=True)
class CommandLine:
    """One build of the AWS CLI; Debian's predates AWS_ENDPOINT_URL, so it gets the option."""

    name: str
    program: Path
    takes_environment: bool

    def run(self, server: Server, *words: str, status: int | None = 0, **changes: str) -> Output:
        """Runs `aws WORDS`."""
        env = server.client_environment(**changes)
        option: tuple[str, ...] = ()
        if not self.takes_environment:
            option = ("--endpoint-url", env.pop("AWS_ENDPOINT_URL"))
        return run(self.program, *option, *words, env=env, status=status)

    def json(self, server: Server, *words: str, **changes: str) -> Any:
        """Runs `aws WORDS` and parses what it printed."""
        text = self.run(server, *words, "--output", "json", **changes).stdout
        return json.loads(text) if text.strip() else None


COMMAND_LINES = (
    CommandLine("newest", Path(sys.executable).with_name("aws"), True),
    CommandLine("debian", Path("/usr/bin/aws"), False),
)
