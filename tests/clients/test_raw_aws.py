"""The AWS side, with requests no SDK would send, and the errors around every operation."""

from __future__ import annotations

import datetime
import json
import uuid

import pytest

from harness import aws
from harness.aws import failure
from harness.http import Response, send
from harness.server import ROOT_KEY_ID, Server
from harness.sigv4 import ECR_PREFIX, JSON_TYPE, call, sign


def error_of(answer: Response) -> tuple[str, str]:
    """Code and message of an AWS JSON error, in either spelling an SDK accepts."""
    document = answer.json()
    return document["__type"].rpartition("#")[2], document.get("message", document.get("Message"))


def test_a_good_call(server: Server) -> None:
    answer = call(server, "DescribeRepositories").expect(200)
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    uuid.UUID(answer.headers["x-amzn-RequestId"])
    assert isinstance(answer.json()["repositories"], list)


def test_every_error_carries_a_request_id(server: Server) -> None:
    answer = call(server, "DescribeRepositories", b'{"repositoryNames": ["nowhere"]}').expect(400)
    uuid.UUID(answer.headers["x-amzn-RequestId"])
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"


def at(minutes: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_within_tolerance(server: Server, minutes: float) -> None:
    call(server, "DescribeRepositories", at=at(minutes)).expect(200)


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24 * 400])
def test_a_skewed_clock(server: Server, minutes: float) -> None:
    answer = call(server, "DescribeRepositories", at=at(minutes))
    assert answer.status in (400, 403), str(answer)
    code, message = error_of(answer)
    assert code == "InvalidSignatureException"
    # The message must let the user see that it is the clock.
    assert "Signature expired" in message or "Signature not yet current" in message


SCOPE = "20260101/us-east-1/ecr/aws4_request"
BAD_SIGNATURES = [
    # what, arguments of `call`, code
    ("wrong secret", {"secret": "wrong"}, "InvalidSignatureException"),
    ("unknown key", {"key_id": "AKIAUNKNOWNUNKNOWN00"}, "UnrecognizedClientException"),
    (
        "another body",
        {"changes": {"X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.ListImages"}},
        "InvalidSignatureException",
    ),
    ("no signature", {"changes": {"Authorization": None}}, "MissingAuthenticationTokenException"),
    ("empty header", {"changes": {"Authorization": "AWS4-HMAC-SHA256"}}, "IncompleteSignatureException"),
    (
        "no signed headers",
        {"changes": {"Authorization": f"AWS4-HMAC-SHA256 Credential={ROOT_KEY_ID}/{SCOPE}, Signature=00"}},
        "IncompleteSignatureException",
    ),
    ("no date", {"changes": {"X-Amz-Date": None}}, "IncompleteSignatureException"),
]


@pytest.mark.parametrize("name,arguments,code", BAD_SIGNATURES, ids=[row[0] for row in BAD_SIGNATURES])
def test_bad_signature(server: Server, name: str, arguments: dict[str, object], code: str) -> None:
    answer = call(server, "DescribeRepositories", **arguments)  # type: ignore[arg-type]
    assert answer.status in (400, 403), str(answer)
    found, message = error_of(answer)
    # AWS's generic page and its JSON services spell two of these with and without the suffix.
    assert found.removesuffix("Exception") == code.removesuffix("Exception"), str(answer)
    assert message


def test_the_target_must_be_signed(server: Server) -> None:
    headers = sign({"Host": server.host, "Content-Type": JSON_TYPE}, b"{}", service="ecr", region=server.region)
    headers["X-Amz-Target"] = ECR_PREFIX + "DescribeRepositories"
    answer = send(server.host, "POST", "/", headers=headers, body=b"{}")
    assert answer.status in (400, 403), str(answer)


UNKNOWN_OPERATIONS = ["NoSuchOperation", "describeRepositories", "", "DescribeRepositories2"]


@pytest.mark.parametrize("operation", UNKNOWN_OPERATIONS)
def test_unknown_operation(server: Server, operation: str) -> None:
    answer = call(server, operation)
    assert answer.status in (400, 404), str(answer)
    assert error_of(answer)[0] == "UnknownOperationException"


@pytest.mark.parametrize("prefix", ["SomeOtherService_V1.", "AmazonEC2ContainerRegistry_V20150921.../", ""])
def test_unknown_target_prefix(server: Server, prefix: str) -> None:
    answer = call(server, "DescribeRepositories", prefix=prefix)
    assert answer.status in (400, 404), str(answer)
    assert error_of(answer)[0] in ("UnknownOperationException", "UnsupportedOperationException")


@pytest.mark.parametrize("service", ["dynamodb", "lambda", "secretsmanagerx"])
def test_unknown_service(server: Server, service: str) -> None:
    answer = call(server, "ListTables", prefix="DynamoDB_20120810.", service=service)
    assert 400 <= answer.status < 600
    assert f"Tonnage does not serve {service}; AWS_ENDPOINT_URL points here" in answer.body.decode()


BROKEN_BODIES = {
    "not JSON": b"{",
    "an array": b"[]",
    "a string": b'"x"',
    "nothing like text": b"\xff\xfe",
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "wrong type": b'{"repositoryNames": "one"}',
    "wrong member type": b'{"repositoryNames": [1]}',
    "wrong number": b'{"maxResults": "many"}',
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_broken_body(server: Server, name: str) -> None:
    answer = call(server, "DescribeRepositories", BROKEN_BODIES[name]).expect(400)
    assert error_of(answer)[0] in ("SerializationException", "ValidationException", "InvalidParameterException")


def test_unknown_members_are_ignored(server: Server) -> None:
    # A newer SDK may send members this server has not heard of.
    call(server, "DescribeRepositories", b'{"fromTheFuture": {"a": [1]}}').expect(200)


def test_an_empty_body_is_an_empty_object(server: Server) -> None:
    answer = call(server, "DescribeRepositories", b"")
    assert answer.status in (200, 400), str(answer)


def test_a_body_is_bounded(server: Server) -> None:
    body = json.dumps({"repositoryNames": ["x" * 1000] * 40_000}).encode()
    assert len(body) > 40_000_000
    try:
        answer = call(server, "DescribeRepositories", body)
    except (BrokenPipeError, ConnectionResetError):
        return
    assert answer.status in (400, 413), str(answer)


def test_sts_unknown_action(server: Server) -> None:
    policy = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    failed = failure(
        aws.client(server, "sts").assume_root, TargetPrincipal="123456789012", TaskPolicyArn=policy
    )
    assert failed.status >= 400
    assert "AssumeRoot" in failed.message


def test_root_needs_no_region_of_its_own(server: Server) -> None:
    # STS is one service for all regions.
    identity = aws.client(server, "sts", region_name="eu-central-1").get_caller_identity()
    assert identity["Account"]
