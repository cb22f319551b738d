"""The commands that pages of the console show: each is one that the AWS command line takes, and does what it says.

Every page that is linked is opened. A command that reads is run against the server. One that changes
something is read by the command line, with all its parameters, and not sent.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import re
import shlex
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import Iterator
from urllib.parse import urlencode

import awscli.clidriver
import pytest

from harness import aws
from harness.http import Registry, send
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from test_console import push_image
from test_image_shares import SharingServer

REGION = "us-east-1"
HERE = f"/console/{REGION}/"
# What a person has in the files that commands name.
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
FILES = {
    "policy.json": POLICY,
    "trust.json": TRUST,
    "replication.json": {"rules": [{"destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}]}]},
    "signing.json": {"rules": []},
    "credentials.json": {"username": "ada", "accessToken": "secret"},
    "catalog.json": {"description": "Serves files"},
}
READS = ("batch-get-", "describe-", "get-", "list-", "lookup-", "simulate-")
PAGES_MAX = 250


@pytest.fixture(scope="module")
def filled(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that has something to show on each page."""
    server = SharingServer(binary, tmp_path_factory.mktemp("commands") / "server")
    server.start()
    iam, ecr, public = (aws.client(server, service) for service in ("iam", "ecr", "ecr-public"))
    iam.create_group(GroupName="developers")
    iam.create_user(UserName="grace")
    iam.put_user_policy(UserName="grace", PolicyName="pull", PolicyDocument=json.dumps(POLICY))
    iam.create_access_key(UserName="grace")
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_policy(PolicyName="team-pull", PolicyDocument=json.dumps(POLICY))
    ecr.create_repository(repositoryName="team/web", tags=[{"Key": "team", "Value": "web"}])
    push_image(Registry(server.host, aws.registry_password(ecr)), "team/web", "amd64", "v1")
    document = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
    ecr.set_repository_policy(repositoryName="team/web", policyText=json.dumps(document))
    ecr.put_registry_policy(policyText=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "a", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "ecr:ReplicateImage", "Resource": "*",
        }],
    }))
    rules = [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}, "action": {"type": "expire"}}]
    ecr.start_lifecycle_policy_preview(repositoryName="team/web", lifecyclePolicyText=json.dumps({"rules": rules}))
    ecr.start_image_scan(repositoryName="team/web", imageId={"imageTag": "v1"})
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    ecr.create_repository_creation_template(prefix="team", appliedFor=["CREATE_ON_PUSH"])
    profile = aws.client(server, "signer").put_signing_profile(profileName="release", platformId="Notation-OCI-SHA384-ECDSA")
    ecr.put_signing_configuration(signingConfiguration={"rules": [{"signingProfileArn": profile["arn"]}]})
    public.create_repository(repositoryName="shown/server", catalogData={"description": "Serves files"})
    yield server
    server.close()


def sign_in(server: Server) -> str:
    """The cookie of a session of the root."""
    cookies = SimpleCookie()
    page = send(server.host, "GET", "/console/sign-in")
    cookies.load("; ".join(page.headers.get_all("set-cookie") or []))
    token = re.search(r'name="csrf" value="([^"]+)"', page.body.decode())
    form = {"csrf": token[1] if token else "", "with": "key", "key": ROOT_KEY_ID, "secret": ROOT_SECRET}
    sent = {
        "Cookie": "; ".join(f"{name}={value.value}" for name, value in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"http://{server.host}",
    }
    answer = send(server.host, "POST", "/console/sign-in", headers=sent, body=urlencode(form).encode())
    assert answer.status == 303, answer.body
    for line in answer.headers.get_all("set-cookie") or []:
        cookies.load(line)
    return "; ".join(f"{name}={value.value}" for name, value in cookies.items() if value.value)


def kind_of(path: str) -> str:
    """Pages that differ in what they name alone are one."""
    path = re.sub(r"sha256:[0-9a-f]+|/jobs/\d+|/activity/[0-9a-f-]{36}", "*", path)
    return re.sub(r"=[^&]*", "=", path)


@pytest.fixture(scope="module")
def shown(filled: Server) -> dict[str, str]:
    """The commands of all pages, with a page that has each."""
    headers = {"Cookie": sign_in(filled)}
    waiting, seen, found = [HERE, "/console/account", "/console/switch-role"], set(), {}
    while waiting and len(seen) < PAGES_MAX:
        path = waiting.pop(0)
        if kind_of(path) in seen:
            continue
        seen.add(kind_of(path))
        page = send(filled.host, "GET", path, headers=headers)
        if page.status != 200:
            assert page.status == 303, (path, page.status)
            continue
        text = page.body.decode()
        for command in re.findall(r'data-copy="([^"]*)"', text):
            found.setdefault(html.unescape(command), path)
        links = [html.unescape(link) for link in re.findall(r'href="(/console/[^"#]*)', text)]
        waiting += [link for link in links if not re.search(r"\.(css|js|svg)$|/-/logo$", link)]
    assert len(seen) > 50, sorted(seen)
    return found


class CommandLine:
    """The AWS command line within this process, which takes a tenth of the time of one for each command."""

    def __init__(self, *, sends: bool) -> None:
        self.driver = awscli.clidriver.create_clidriver()
        # What is not sent is read, checked and made to the last byte.
        if not sends:
            self.driver.session.register("before-call", lambda **_: (SimpleNamespace(status_code=200), {}))

    def run(self, words: list[str]) -> tuple[int, str]:
        """Runs `aws WORDS`; its status and what it printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = self.driver.main(words)
        return status, printed.getvalue()


def write_files(directory: Path) -> None:
    """The files that commands name."""
    for name, document in FILES.items():
        (directory / name).write_text(json.dumps(document))


def test_every_command_of_the_console_is_one(
    filled: Server, shown: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_files(tmp_path)
    model = tmp_path / "models" / "tonnage" / "2026-01-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text(filled.subcommand("api", "model").stdout)
    for name, value in filled.client_environment().items():
        monkeypatch.setenv(name, value)
    # The command line has set its own there.
    monkeypatch.setenv("AWS_DATA_PATH", os.pathsep.join([os.environ["AWS_DATA_PATH"], str(tmp_path / "models")]))
    monkeypatch.chdir(tmp_path)
    wrong, run, read = [], set(), set()
    asking, changing = CommandLine(sends=True), CommandLine(sends=False)
    for command, page in shown.items():
        words = shlex.split(command)
        if words[0] != "aws" or "|" in words:
            continue
        service, action = words[1:3]
        reads = action.startswith(READS)
        status, told = (asking if reads else changing).run(words[1:])
        (run if reads else read).add((service, action))
        if status != 0:
            wrong.append(f"{page}: {command}\n    {told.strip()}")
    assert not wrong, "\n".join(wrong)
    assert len(run) > 20 and len(read) > 25, (len(run), len(read))


def test_every_command_of_ours_is_one(
    filled: Server, shown: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    ours = {command: page for command, page in shown.items() if command.startswith("tonnage ")}
    wrong = []
    for command, page in ours.items():
        words = ["1" if word == "ID" else word for word in shlex.split(command)[1:]]
        env = filled.client_environment(TONNAGE_DATA_DIR=str(filled.data))
        output = filled.subcommand(*words, env=env, status=None)
        # Clap's own status for what it cannot read is 2.
        if output.status == 2:
            wrong.append(f"{page}: {command}\n    {output.stderr}")
    assert not wrong, "\n".join(wrong)
    assert len(ours) > 10, ours
