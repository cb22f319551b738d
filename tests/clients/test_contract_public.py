"""Every operation of botocore's newest ECR Public model, held to that model: inputs, answers, errors."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import uuid
from pathlib import Path
from typing import Any, Callable, Iterator

import botocore
import pytest

from harness import aws
from harness.contract import PUBLIC_MODEL as MODEL
from harness.contract import broken_members, error_faults, faults, mistyped_members
from harness.http import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Response, digest_of
from harness.png import png
from harness.server import ACCOUNT, Server
from harness.sigv4 import ECR_PUBLIC_PREFIX, call

OPERATIONS = sorted(MODEL.operation_names)
PRINCIPAL = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
REPOSITORY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "push", "Effect": "Allow", "Principal": PRINCIPAL, "Action": "ecr-public:PutImage"}],
    }
)
TAG = {"Key": "team", "Value": "one"}
CATALOG = {
    "description": "an image",
    "architectures": ["x86-64", "ARM 64"],
    "operatingSystems": ["Linux"],
    "logoImageBlob": base64.b64encode(png(64, 64)).decode(),
    "aboutText": "# About",
    "usageText": "# Usage",
}

_numbers = itertools.count(1)


def ask(server: Server, operation: str, values: dict[str, Any]) -> Response:
    """One call with exactly these members; every answer names its request."""
    body = json.dumps(values).encode()
    answer = call(server, operation, body, prefix=ECR_PUBLIC_PREFIX, service="ecr-public")
    uuid.UUID(answer.headers["x-amzn-RequestId"])
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1", str(answer)
    return answer


def succeed(server: Server, operation: str, values: dict[str, Any]) -> dict[str, Any]:
    """A call that must succeed, with an answer of the model."""
    answer = ask(server, operation, values)
    assert answer.status == 200, f"{operation}({json.dumps(values)[:2000]}): {answer}"
    document = answer.json()
    found = list(faults(MODEL.operation_model(operation).output_shape, document))
    assert not found, f"{operation}: {found}"
    assert isinstance(document, dict)
    return document


def code_of(answer: Response) -> str:
    """The code of an AWS JSON error."""
    return str(answer.json()["__type"]).rpartition("#")[2]


@dataclasses.dataclass
class State:
    """A repository with an image, and the blobs of another."""

    server: Server
    number: int
    name: str
    pushed: str
    layer: str
    manifest: str

    @property
    def arn(self) -> str:
        """The repository's."""
        return f"arn:aws:ecr-public::{ACCOUNT}:repository/{self.name}"


def upload(server: Server, repository: str, content: bytes) -> dict[str, Any]:
    """An upload that received `content`."""
    opened = succeed(server, "InitiateLayerUpload", {"repositoryName": repository})["uploadId"]
    members = {"repositoryName": repository, "uploadId": opened}
    part = {"partFirstByte": 0, "partLastByte": len(content) - 1, "layerPartBlob": base64.b64encode(content).decode()}
    succeed(server, "UploadLayerPart", {**members, **part})
    return {**members, "layerDigests": [digest_of(content)]}


def make_image(server: Server, repository: str) -> tuple[str, str]:
    """Stores the blobs of an image; its manifest and the digest of its layer."""
    text = f"{repository} {next(_numbers)}"
    config, layer = json.dumps({"comment": text}).encode(), text.encode()
    for content in (config, layer):
        succeed(server, "CompleteLayerUpload", upload(server, repository, content))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": digest_of(layer), "size": len(layer)}],
    }
    return json.dumps(manifest), digest_of(layer)


def prepare(server: Server) -> State:
    """A repository with two tagged images."""
    number = next(_numbers)
    name = f"contract/{number}"
    succeed(server, "CreateRepository", {"repositoryName": name, "tags": [TAG]})
    for tag in ("zeroth", "first"):
        pushed, layer = make_image(server, name)
        succeed(server, "PutImage", {"repositoryName": name, "imageManifest": pushed, "imageTag": tag})
    return State(server, number, name, digest_of(pushed.encode()), layer, make_image(server, name)[0])


def _policy(state: State) -> None:
    succeed(state.server, "SetRepositoryPolicy", {"repositoryName": state.name, "policyText": REPOSITORY_POLICY})


PREPARATIONS: dict[str, Callable[[State], None]] = {"DeleteRepositoryPolicy": _policy, "GetRepositoryPolicy": _policy}

# Members that the model allows one by one and ECR Public not together.
CONFLICTS: dict[str, set[str]] = {
    "DescribeImageTags": {"nextToken"},
    "DescribeImages": {"imageIds", "nextToken"},
    "DescribeRegistries": {"nextToken"},
    "DescribeRepositories": {"repositoryNames", "nextToken"},
}

# What the minimal input needs although the model does not require it.
NEEDED: dict[str, set[str]] = {"DeleteRepository": {"force"}}


def everything(operation: str, state: State) -> dict[str, Any]:
    """A value for every member of an operation's input."""
    content = f"part {state.number}".encode()
    identifier = {"imageDigest": state.pushed, "imageTag": "first"}
    values: dict[str, Any] = {
        "catalogData": CATALOG,
        "displayName": "Contract",
        "force": True,
        "imageDigest": digest_of(state.manifest.encode()),
        "imageIds": [identifier],
        "imageManifest": state.manifest,
        "imageManifestMediaType": MANIFEST_TYPE,
        "imageTag": "second",
        "layerDigests": [state.layer],
        "layerPartBlob": base64.b64encode(content).decode(),
        "maxResults": 10,
        "nextToken": "never-given",
        "partFirstByte": 0,
        "partLastByte": len(content) - 1,
        "policyText": REPOSITORY_POLICY,
        "registryId": ACCOUNT,
        "repositoryName": state.name,
        "repositoryNames": [state.name],
        "resourceArn": state.arn,
        "tagKeys": ["team"],
        "tags": [TAG],
        "uploadId": str(uuid.UUID(int=state.number)),
    }
    if operation == "CreateRepository":
        values["repositoryName"] = f"{state.name}/new"
    if operation == "CompleteLayerUpload":
        values.update(upload(state.server, state.name, content))
    if operation == "UploadLayerPart":
        opened = succeed(state.server, "InitiateLayerUpload", {"repositoryName": state.name})
        values["uploadId"] = opened["uploadId"]
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    unknown = set(shape.members) - set(values)
    assert not unknown, f"{operation} has members this test has no value for: {unknown}"
    return {name: values[name] for name in shape.members}


def minimal(operation: str, state: State) -> dict[str, Any]:
    """Only what is required."""
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    wanted = set(shape.required_members) | NEEDED.get(operation, set())
    return {name: value for name, value in everything(operation, state).items() if name in wanted}


def with_nulls(operation: str, state: State) -> dict[str, Any]:
    """What is not required is null, which is the same as absent."""
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    return {**dict.fromkeys(shape.members), **minimal(operation, state)}


def unknown_member(operation: str, state: State) -> dict[str, Any]:
    """As a newer SDK may ask."""
    return {**minimal(operation, state), "fromTheFuture": {"a": [1, None]}}


def maximal(operation: str, state: State) -> dict[str, Any]:
    """Every member that may be there together."""
    without = CONFLICTS.get(operation, set())
    return {name: value for name, value in everything(operation, state).items() if name not in without}


@pytest.fixture(scope="module")
def contract(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own."""
    running = Server(binary, tmp_path_factory.mktemp("contract")).start()
    yield running
    running.close()


INPUTS = [minimal, maximal, with_nulls, unknown_member]


@pytest.mark.parametrize("make", INPUTS, ids=[make.__name__ for make in INPUTS])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_valid_input(contract: Server, operation: str, make: Callable[[str, State], dict[str, Any]]) -> None:
    state = prepare(contract)
    PREPARATIONS.get(operation, lambda _: None)(state)
    succeed(contract, operation, make(operation, state))


@pytest.fixture(scope="module")
def shared(contract: Server) -> State:
    """For requests that change nothing, because they are refused."""
    return prepare(contract)


def complaints(operation: str, server: Server, cases: Iterator[tuple[str, Any]], codes: set[str]) -> list[str]:
    """The cases that were not refused with one of the codes."""
    found = []
    model = MODEL.operation_model(operation)
    for what, values in cases:
        answer = ask(server, operation, values)
        if answer.status == 200:
            found.append(f"{what}: accepted")
            continue
        document = answer.json()
        if code_of(answer) not in codes:
            found.append(f"{what}: {document}")
        found += [f"{what}: {fault}" for fault in error_faults(model, document)]
    return found


# A tag may be refused by its own exception.
REFUSALS = {"InvalidParameterException", "ValidationException", "InvalidTagParameterException", "TooManyTagsException"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_broken_constraint(contract: Server, shared: State, operation: str) -> None:
    cases = broken_members(MODEL.operation_model(operation).input_shape, everything(operation, shared))
    assert not (found := complaints(operation, contract, cases, REFUSALS)), "\n".join(found)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_wrong_type(contract: Server, shared: State, operation: str) -> None:
    cases = mistyped_members(MODEL.operation_model(operation).input_shape, everything(operation, shared))
    assert not (found := complaints(operation, contract, cases, {"SerializationException"})), "\n".join(found)


# What a second call of the same input answers: nothing for a success, and a code otherwise.
AGAIN = {
    "BatchDeleteImage": None,
    "CreateRepository": "RepositoryAlreadyExistsException",
    "DeleteRepository": "RepositoryNotFoundException",
    "DeleteRepositoryPolicy": "RepositoryPolicyNotFoundException",
    "PutImage": "ImageAlreadyExistsException",
    "PutRegistryCatalogData": None,
    "PutRepositoryCatalogData": None,
    "SetRepositoryPolicy": None,
    "TagResource": None,
    "UntagResource": None,
}


@pytest.mark.parametrize("operation,code", AGAIN.items(), ids=list(AGAIN))
def test_the_same_again(contract: Server, operation: str, code: str | None) -> None:
    state = prepare(contract)
    PREPARATIONS.get(operation, lambda _: None)(state)
    values = maximal(operation, state)
    succeed(contract, operation, values)
    if code is None:
        succeed(contract, operation, values)
        return
    answer = ask(contract, operation, values)
    assert answer.status == 400 and code_of(answer) == code, str(answer)
    assert not list(error_faults(MODEL.operation_model(operation), answer.json()))


ABSENT = [name for name in OPERATIONS if "repositoryName" in (MODEL.operation_model(name).input_shape or {}).members]


@pytest.mark.parametrize("operation", [name for name in ABSENT if name != "CreateRepository"])
def test_a_repository_that_is_not_there(contract: Server, shared: State, operation: str) -> None:
    answer = ask(contract, operation, {**minimal(operation, shared), "repositoryName": "no/such"})
    assert code_of(answer) == "RepositoryNotFoundException", str(answer)
    assert not list(error_faults(MODEL.operation_model(operation), answer.json()))


PAGED = {"DescribeImageTags": "imageTagDetails", "DescribeImages": "imageDetails", "DescribeRepositories": "repositories"}


@pytest.mark.parametrize("operation,member", PAGED.items(), ids=list(PAGED))
def test_pages_of_one(contract: Server, operation: str, member: str) -> None:
    state = prepare(contract)
    prepare(contract)
    values = minimal(operation, state)
    whole = succeed(contract, operation, {**values, "maxResults": 1000})
    assert "nextToken" not in whole and len(whole[member]) >= 2, whole
    items: list[Any] = []
    page: dict[str, Any] = {}
    while not items or "nextToken" in page:
        token = {"nextToken": page["nextToken"]} if page else {}
        page = succeed(contract, operation, {**values, "maxResults": 1, **token})
        items += page[member]
        assert len(items) <= len(whole[member]), "a listing that does not end"
    assert items == whole[member]


PAGINATORS = sorted(
    botocore.session.get_session().get_paginator_model("ecr-public")._paginator_config  # noqa: SLF001
)


@pytest.mark.parametrize("operation", PAGINATORS)
def test_a_paginator_ends(contract: Server, operation: str) -> None:
    state = prepare(contract)
    paginator = aws.client(contract, "ecr-public").get_paginator(botocore.xform_name(operation))
    assert list(paginator.paginate(**minimal(operation, state), PaginationConfig={"PageSize": 1}))
