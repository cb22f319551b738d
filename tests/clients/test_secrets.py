"""Secrets: every operation through boto3, what a denied principal is told, and what is kept from logs."""

from __future__ import annotations

import json
import uuid
from typing import Any, Iterator

import pytest

from harness import aws
from harness.aws import COMMAND_LINES, CommandLine, failure
from harness.server import ACCOUNT, REGION, Server

HIDDEN = "correct-horse-battery-staple"
PREFIX = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
MARKED = "You can't perform this operation on the secret because it was marked for deletion."
NOT_FOUND = "Secrets Manager can't find the specified secret."


@pytest.fixture
def server_of_secrets(binary: Any, tmp_path: Any) -> Iterator[Server]:
    """A server of the test's own, since listings show everything."""
    running = Server(binary, tmp_path / "server").start()
    yield running
    running.close()


@pytest.fixture
def secrets(server_of_secrets: Server) -> Any:
    """A client."""
    return aws.client(server_of_secrets, "secretsmanager")


def test_a_secret_from_the_first_to_the_last(secrets: Any) -> None:
    made = secrets.create_secret(
        Name="team/app",
        Description="of the team",
        SecretString="one",
        Tags=[{"Key": "team", "Value": "build"}, {"Key": "removed", "Value": "yes"}],
    )
    arn, first = made["ARN"], made["VersionId"]
    assert arn.startswith(f"{PREFIX}team/app-") and len(arn) == len(PREFIX) + len("team/app-") + 6
    for name in ("team/app", arn, arn[:-7]):
        told = secrets.get_secret_value(SecretId=name)
        assert (told["SecretString"], told["VersionStages"], told["VersionId"]) == ("one", ["AWSCURRENT"], first)

    put = secrets.put_secret_value(SecretId=arn, SecretBinary=b"\x00\xff")
    second = put["VersionId"]
    assert put["VersionStages"] == ["AWSCURRENT"]
    assert secrets.get_secret_value(SecretId=arn)["SecretBinary"] == b"\x00\xff"
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    assert secrets.get_secret_value(SecretId=arn, VersionId=first)["VersionStages"] == ["AWSPREVIOUS"]

    pending = secrets.put_secret_value(SecretId=arn, SecretString="three", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId=second, MoveToVersionId=pending
    )
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "three"
    updated = secrets.update_secret(SecretId=arn, Description="changed", SecretString="four")
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    assert stages == {updated["VersionId"]: ["AWSCURRENT"], pending: ["AWSPENDING", "AWSPREVIOUS"]}

    secrets.tag_resource(SecretId=arn, Tags=[{"Key": "team", "Value": "other"}])
    secrets.untag_resource(SecretId=arn, TagKeys=["removed"])
    described = secrets.describe_secret(SecretId="team/app")
    assert described["Tags"] == [{"Key": "team", "Value": "other"}]
    assert described["Description"] == "changed"
    assert described["CreatedDate"] <= described["LastChangedDate"]
    assert described["LastAccessedDate"].date() <= described["LastChangedDate"].date()

    policy = secrets.get_resource_policy(SecretId=arn)
    assert (policy["ARN"], policy.get("ResourcePolicy")) == (arn, None)
    assert secrets.delete_resource_policy(SecretId=arn)["Name"] == "team/app"

    deleted = secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    described = secrets.describe_secret(SecretId=arn)
    assert (deleted["DeletionDate"] - described["DeletedDate"]).days == 7
    assert secrets.restore_secret(SecretId=arn)["Name"] == "team/app"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "four"
    for _ in range(2):
        secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert failure(secrets.describe_secret, SecretId=arn).message == NOT_FOUND


def test_pages_and_filters(secrets: Any) -> None:
    names = [f"page/{number:02}" for number in range(7)]
    for name in names:
        secrets.create_secret(Name=name, SecretString="x", Description=f"number {name[-1]}")
    secrets.delete_secret(SecretId="page/06")

    def listed(**parameters: Any) -> list[str]:
        pages = secrets.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2}, **parameters)
        return [entry["Name"] for page in pages for entry in page["SecretList"]]

    assert listed(SortBy="name", SortOrder="asc") == names[:6]
    assert listed(SortBy="created-date", SortOrder="desc", IncludePlannedDeletion=True) == names[::-1]
    assert listed(Filters=[{"Key": "name", "Values": ["page/03", "page/06"]}]) == ["page/03"]
    assert listed(Filters=[{"Key": "description", "Values": ["5"]}]) == ["page/05"]
    assert listed(Filters=[{"Key": "name", "Values": ["!page/"]}]) == []
    entry = secrets.list_secrets(Filters=[{"Key": "all", "Values": ["number 4"]}])["SecretList"][0]
    assert list(entry["SecretVersionsToStages"].values()) == [["AWSCURRENT"]]

    made = {secrets.put_secret_value(SecretId="page/00", SecretString=str(number))["VersionId"] for number in range(5)}
    versions, more = [], {}
    while True:  # The model names no paginator for it.
        page = secrets.list_secret_version_ids(SecretId="page/00", IncludeDeprecated=True, MaxResults=2, **more)
        assert len(page["Versions"]) <= 2
        versions += [version["VersionId"] for version in page["Versions"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert len(versions) == 6 and made < set(versions)
    shown = secrets.list_secret_version_ids(SecretId="page/00")["Versions"]
    assert sorted(stage for version in shown for stage in version["VersionStages"]) == ["AWSCURRENT", "AWSPREVIOUS"]
    told = failure(secrets.list_secrets, NextToken="nonsense")
    assert told.code == "InvalidNextTokenException"


def test_a_token_makes_a_request_the_same_request(secrets: Any) -> None:
    token, other = str(uuid.uuid4()), str(uuid.uuid4())
    made = [secrets.create_secret(Name="same", SecretString="one", ClientRequestToken=token) for _ in range(2)]
    assert made[0]["ARN"] == made[1]["ARN"] and made[0]["VersionId"] == token
    for _ in range(2):
        secrets.put_secret_value(SecretId="same", SecretString="two", ClientRequestToken=other)
        secrets.update_secret(SecretId="same", SecretString="two", ClientRequestToken=other)
    stages = secrets.describe_secret(SecretId="same")["VersionIdsToStages"]
    assert stages == {token: ["AWSPREVIOUS"], other: ["AWSCURRENT"]}
    for action in (secrets.put_secret_value, secrets.update_secret):
        told = failure(action, SecretId="same", SecretString=HIDDEN, ClientRequestToken=token)
        assert told.code == "ResourceExistsException"
        assert token in told.message and HIDDEN not in str(told.response)


def test_errors(secrets: Any) -> None:
    secrets.create_secret(Name="app", SecretString="one")
    secrets.create_secret(Name="deleted", SecretString="one")
    secrets.delete_secret(SecretId="deleted")

    def check(action: Any, code: str, message: str, **parameters: Any) -> None:
        told = failure(action, **parameters)
        assert (told.code, told.message, told.status) == (code, message, 400)

    check(
        secrets.create_secret,
        "ResourceExistsException",
        "The operation failed because the secret app already exists.",
        Name="app",
        SecretString="two",
    )
    check(
        secrets.create_secret,
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
        Name="deleted",
        SecretString="two",
    )
    for action in (secrets.get_secret_value, secrets.get_resource_policy, secrets.delete_secret):
        check(action, "InvalidRequestException", MARKED, SecretId="deleted")
        check(action, "ResourceNotFoundException", NOT_FOUND, SecretId="missing")
    check(
        secrets.get_secret_value,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
        SecretId="app",
        VersionStage="AWSPENDING",
    )
    check(
        secrets.delete_secret,
        "InvalidParameterException",
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        SecretId="app",
        RecoveryWindowInDays=6,
    )
    told = failure(secrets.create_secret, Name="replicated", AddReplicaRegions=[{"Region": "eu-west-1"}])
    assert (told.code, "AddReplicaRegions" in told.message) == ("UnsupportedOperationException", True)
    told = failure(secrets.put_resource_policy, SecretId="app", ResourcePolicy="{}")
    assert "does not serve secretsmanager:PutResourcePolicy" in told.message


def test_a_denied_principal_learns_nothing(server_of_secrets: Server, secrets: Any) -> None:
    iam = aws.client(server_of_secrets, "iam")
    arn = secrets.create_secret(Name="team/open", SecretString="one")["ARN"]
    secrets.create_secret(Name="closed", SecretString=HIDDEN)
    iam.create_user(UserName="reader")
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": f"{PREFIX}team/*"},
    }
    iam.put_user_policy(UserName="reader", PolicyName="inline", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = aws.client(
        server_of_secrets,
        "secretsmanager",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert reader.get_secret_value(SecretId="team/open")["SecretString"] == "one"
    assert reader.get_secret_value(SecretId=arn)["SecretString"] == "one"
    assert failure(reader.get_secret_value, SecretId="team/missing").code == "ResourceNotFoundException"
    told = [failure(reader.get_secret_value, SecretId=name) for name in ("closed", "missing")]
    assert {it.code for it in told} == {"AccessDeniedException"}
    assert told[0].message == told[1].message.replace("missing", "closed")
    for action, parameters in (
        (reader.list_secrets, {}),
        (reader.create_secret, {"Name": "team/new", "SecretString": "one"}),
        (reader.delete_secret, {"SecretId": "team/open"}),
    ):
        assert failure(action, **parameters).code == "AccessDeniedException"


def test_a_value_is_not_in_files_or_logs(server_of_secrets: Server, secrets: Any) -> None:
    secrets.create_secret(Name="app", SecretString=HIDDEN)
    secrets.put_secret_value(SecretId="app", SecretBinary=HIDDEN.encode() * 2)
    assert secrets.get_secret_value(SecretId="app", VersionStage="AWSPREVIOUS")["SecretString"] == HIDDEN
    server_of_secrets.stop()
    server_of_secrets.start()
    assert secrets.get_secret_value(SecretId="app")["SecretBinary"] == HIDDEN.encode() * 2
    server_of_secrets.stop()
    files = [path for path in server_of_secrets.directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert HIDDEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("cli", COMMAND_LINES, ids=lambda cli: cli.name)
def test_command_line(cli: CommandLine, server_of_secrets: Server) -> None:
    run = lambda *words: cli.json(server_of_secrets, "secretsmanager", *words)  # noqa: E731
    credential = json.dumps({"username": "somebody", "accessToken": HIDDEN})
    made = run("create-secret", "--name", "ecr-pullthroughcache/hub", "--secret-string", credential)
    assert json.loads(run("get-secret-value", "--secret-id", made["ARN"])["SecretString"])["username"] == "somebody"
    listed = run("list-secrets", "--filters", "Key=name,Values=ecr-pullthroughcache/")
    assert [entry["ARN"] for entry in listed["SecretList"]] == [made["ARN"]]
    run("delete-secret", "--secret-id", made["ARN"], "--force-delete-without-recovery")
    assert run("list-secrets")["SecretList"] == []
