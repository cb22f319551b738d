"""What was done in an account, as boto3, the AWS command line and this console look it up."""

from __future__ import annotations

import datetime
import json

from harness import aws
from harness.aws import COMMAND_LINES, failure
from harness.server import ACCOUNT, REGION, Server
from harness.tools import Output, wait_until


def test_changes_and_denials_are_looked_up(server: Server) -> None:
    ecr, iam, trail = (aws.client(server, service) for service in ("ecr", "iam", "cloudtrail"))
    name = aws.unique_name()
    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
    arn = ecr.create_repository(repositoryName=name)["repository"]["repositoryArn"]
    aws.registry(server, ecr).push_small_image(name, "v1", "looked up")
    iam.create_user(UserName="looker")
    iam.create_login_profile(UserName="looker", Password="Correct-Horse-1")
    key = iam.create_access_key(UserName="looker")["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    limited, reader = (aws.client(server, service, **keys) for service in ("ecr", "cloudtrail"))
    assert failure(limited.delete_repository, repositoryName=name).code == "AccessDeniedException"
    assert "cloudtrail:LookupEvents" in failure(reader.lookup_events).message

    def by(key: str, value: str, **more: object) -> list[dict[str, object]]:
        attributes = [{"AttributeKey": key, "AttributeValue": value}]
        return list(trail.lookup_events(LookupAttributes=attributes, StartTime=began, **more)["Events"])

    pushed = by("ResourceName", arn)
    assert [event["EventName"] for event in pushed if event["EventName"] in ("PutImage", "CreateRepository")] == [
        "PutImage", "CreateRepository",
    ]
    put = next(event for event in pushed if event["EventName"] == "PutImage")
    assert put["EventSource"] == "ecr.amazonaws.com" and put["ReadOnly"] == "false"
    assert put["Resources"] == [{"ResourceType": "AWS::ECR::Repository", "ResourceName": arn}]
    record = json.loads(str(put["CloudTrailEvent"]))
    assert record["awsRegion"] == REGION and record["recipientAccountId"] == ACCOUNT
    assert record["userIdentity"]["type"] == "Root" and record["sourceIPAddress"]
    asked = record["requestParameters"]
    assert asked == {"registryId": ACCOUNT, "repositoryName": name, "imageTag": "v1"}
    created = next(event for event in pushed if event["EventName"] == "CreateRepository")
    assert json.loads(str(created["CloudTrailEvent"]))["requestParameters"]["repositoryName"] == name
    assert by("EventId", str(put["EventId"])) == [put]
    assert [event["EventName"] for event in by("EventName", "CreateUser")] == ["CreateUser"]
    [profile] = by("EventName", "CreateLoginProfile")
    asked = json.loads(str(profile["CloudTrailEvent"]))["requestParameters"]
    assert asked == {"userName": "looker", "password": "HIDDEN_DUE_TO_SECURITY_REASONS"}

    # Denials are written down a moment later.
    wait_until(lambda: len(by("Username", "looker")) >= 2, 30, "denials are there")
    denied = next(event for event in by("AccessKeyId", key["AccessKeyId"]) if event["EventName"] == "DeleteRepository")
    record = json.loads(str(denied["CloudTrailEvent"]))
    assert record["errorCode"] == "AccessDenied" and "ecr:DeleteRepository" in record["errorMessage"]
    assert record["userIdentity"]["userName"] == "looker"

    pages = trail.get_paginator("lookup_events").paginate(StartTime=began, PaginationConfig={"PageSize": 2})
    paged = [event["EventId"] for page in pages for event in page["Events"]]
    assert len(paged) == len(set(paged)) > 4
    first = trail.lookup_events(StartTime=began, MaxResults=1)
    for code, parameters in (
        ("InvalidNextTokenException", {"NextToken": "none"}),
        ("InvalidNextTokenException", {"NextToken": first["NextToken"], "EndTime": began}),
        ("InvalidTimeRangeException", {"StartTime": 2_000_000_000, "EndTime": 1_900_000_000}),
        ("InvalidLookupAttributesException",
         {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2}),
    ):
        assert failure(trail.lookup_events, **parameters).code == code
    assert trail.lookup_events(EventCategory="insight")["Events"] == []
    assert failure(trail.describe_trails).code == "UnsupportedOperationException"

    words = ("--lookup-attributes", f"AttributeKey=ResourceName,AttributeValue={arn}", "--start-time", began.isoformat())
    found = COMMAND_LINES[0].json(server, "cloudtrail", "lookup-events", *words)
    assert [event["EventId"] for event in found["Events"]] == [event["EventId"] for event in by("ResourceName", arn)]


def test_events_are_listed_from_a_shell(server: Server) -> None:
    ecr = aws.client(server)
    name = aws.unique_name()
    ecr.create_repository(repositoryName=name)
    aws.registry(server, ecr).push_small_image(name, "v1", "listed")

    def events(*options: str, status: int = 0) -> Output:
        return server.subcommand("events", "list", "--data-dir", str(server.data), *options, status=status)

    lines = events("--repository", name).stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["image-pushed", "repository-created"], lines
    assert json.loads(lines[0].split(None, 2)[2])["image-tag"] == "v1"
    assert len(events("--limit", "1").stdout.splitlines()) == 1
    assert events("--kind", "image-deleted", "--repository", name).stdout == ""
    assert "2026-01-31T18:00:00Z" in events("--from", "yesterday", status=1).stderr
