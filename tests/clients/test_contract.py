"""Every operation of botocore's newest ECR model, held to that model: inputs, answers, errors."""

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
from botocore.model import OperationModel

from harness import aws
from harness.contract import MODEL, broken_members, error_faults, faults, mistyped_members
from harness.http import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Response, digest_of
from harness.server import ACCOUNT, Server
from harness.tools import wait_until
from harness.sigv4 import call

OPERATIONS = sorted(MODEL.operation_names)

LIFECYCLE_POLICY = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "keeps one image of all",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
PRINCIPAL = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
REPOSITORY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": PRINCIPAL, "Action": "ecr:BatchGetImage"}],
    }
)
REGISTRY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "replicate",
                "Effect": "Allow",
                "Principal": PRINCIPAL,
                "Action": "ecr:ReplicateImage",
                "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*",
            }
        ],
    }
)
TAG = {"Key": "team", "Value": "one"}
# A registry that an operator said to be at a port where nobody listens.
ECR_UPSTREAM = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
FILTER = {"filterType": "WILDCARD", "filter": "release*"}

_numbers = itertools.count(1)


def ask(server: Server, operation: str, values: dict[str, Any]) -> Response:
    """One call with exactly these members; every answer names its request."""
    answer = call(server, operation, json.dumps(values).encode())
    uuid.UUID(answer.headers["x-amzn-RequestId"])
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1", str(answer)
    return answer


def succeed(server: Server, operation: str, values: dict[str, Any]) -> dict[str, Any]:
    """A call that must succeed, with an answer of the model."""
    answer = ask(server, operation, values)
    assert answer.status == 200, f"{operation}({json.dumps(values)[:2000]}): {answer}"
    document = answer.json()
    shape = MODEL.operation_model(operation).output_shape
    found = list(faults(shape, document)) if shape is not None else []
    assert not found, f"{operation}: {found}"
    assert isinstance(document, dict)
    return document


def code_of(answer: Response) -> str:
    """The code of an AWS JSON error."""
    return str(answer.json()["__type"]).rpartition("#")[2]


@dataclasses.dataclass(frozen=True)
class Image:
    """A manifest whose blobs are in the repository, pushed or not."""

    manifest: str
    digest: str
    layer: str


@dataclasses.dataclass
class State:
    """A repository and whatever else an operation needs to find."""

    server: Server
    number: int
    name: str
    pushed: Image
    image: Image
    # A replication backfill, once there is one.
    backfill: str = str(uuid.UUID(int=0))

    @property
    def destination(self) -> dict[str, str]:
        """A registry that nothing else here is copied to."""
        return {"region": f"eu-contract-{self.number}", "registryId": ACCOUNT}

    @property
    def arn(self) -> str:
        """The repository's."""
        return f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{self.name}"


def upload(server: Server, repository: str, content: bytes) -> dict[str, Any]:
    """An upload that received `content`."""
    opened = succeed(server, "InitiateLayerUpload", {"repositoryName": repository})["uploadId"]
    members = {"repositoryName": repository, "uploadId": opened}
    part = {"partFirstByte": 0, "partLastByte": len(content) - 1, "layerPartBlob": base64.b64encode(content).decode()}
    succeed(server, "UploadLayerPart", {**members, **part})
    return {**members, "layerDigests": [digest_of(content)]}


def make_image(server: Server, repository: str, subject: str | None = None) -> Image:
    """Stores the blobs of an image."""
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
    if subject is not None:
        manifest["artifactType"] = "application/vnd.example.signature"
        manifest["subject"] = {"mediaType": MANIFEST_TYPE, "digest": subject, "size": 100}
    written = json.dumps(manifest)
    return Image(written, digest_of(written.encode()), digest_of(layer))


def push(server: Server, repository: str, image: Image, tag: str | None) -> None:
    """Stores the image."""
    values = {"repositoryName": repository, "imageManifest": image.manifest}
    succeed(server, "PutImage", values if tag is None else {**values, "imageTag": tag})


def prepare(server: Server) -> State:
    """A repository with one image, a referrer, policies and tags."""
    number = next(_numbers)
    name = f"contract/{number}"
    succeed(server, "CreateRepository", {"repositoryName": name, "tags": [TAG]})
    pushed = make_image(server, name)
    push(server, name, pushed, "first")
    push(server, name, make_image(server, name, subject=pushed.digest), None)
    return State(server, number, name, pushed, make_image(server, name))


# What an operation must find beside the repository.
def _nothing(_state: State) -> None:
    pass


def _lifecycle_policy(state: State) -> None:
    succeed(state.server, "PutLifecyclePolicy", everything("PutLifecyclePolicy", state))


def _preview(state: State) -> None:
    # Not of a stored policy, which may have been applied by then.
    values = {"repositoryName": state.name, "lifecyclePolicyText": LIFECYCLE_POLICY}
    succeed(state.server, "StartLifecyclePolicyPreview", values)
    wait_for_preview(state)


def _repository_policy(state: State) -> None:
    succeed(state.server, "SetRepositoryPolicy", everything("SetRepositoryPolicy", state))


def _rule(state: State) -> None:
    succeed(state.server, "CreatePullThroughCacheRule", maximal("CreatePullThroughCacheRule", state))


def _registry_policy(state: State) -> None:
    succeed(state.server, "PutRegistryPolicy", everything("PutRegistryPolicy", state))


def _template(state: State) -> None:
    succeed(state.server, "CreateRepositoryCreationTemplate", everything("CreateRepositoryCreationTemplate", state))


def _exclusion(state: State) -> None:
    succeed(state.server, "RegisterPullTimeUpdateExclusion", everything("RegisterPullTimeUpdateExclusion", state))


def _destination(state: State) -> None:
    filters = [{"filter": state.name, "filterType": "PREFIX_MATCH"}]
    rule = {"destinations": [state.destination], "repositoryFilters": filters}
    succeed(state.server, "PutReplicationConfiguration", {"replicationConfiguration": {"rules": [rule]}})


def _tags_to_copy(state: State) -> None:
    # So many that what copies them does not end before it is looked at.
    for number in range(150):
        values = {"repositoryName": state.name, "imageManifest": state.pushed.manifest, "imageTag": f"copied-{number}"}
        succeed(state.server, "PutImage", values)
    _destination(state)


def _backfill(state: State) -> None:
    started = succeed(state.server, "StartReplicationBackfill", {"destination": state.destination})
    state.backfill = started["replicationBackfillId"]


def _backfill_under_way(state: State) -> None:
    _tags_to_copy(state)
    _backfill(state)


def _ended_backfill(state: State) -> None:
    _destination(state)
    _backfill(state)

    def has_ended() -> bool:
        values = {"replicationBackfillId": state.backfill}
        return succeed(state.server, "DescribeReplicationBackfillResults", values)["status"] == "COMPLETE"

    wait_until(has_ended, 30, "the backfill ends")


def _signing(state: State) -> None:
    succeed(state.server, "PutSigningConfiguration", everything("PutSigningConfiguration", state))


def _basic_scanning(state: State) -> None:
    succeed(state.server, "PutRegistryScanningConfiguration", {"scanType": "BASIC", "rules": []})


def _scan(state: State) -> None:
    _basic_scanning(state)
    values = {"repositoryName": state.name, "imageId": {"imageDigest": state.pushed.digest}}
    succeed(state.server, "StartImageScan", values)


PREPARATIONS: dict[str, Callable[[State], None]] = {
    "DeleteLifecyclePolicy": _lifecycle_policy,
    "DeletePullThroughCacheRule": _rule,
    "DeleteRegistryPolicy": _registry_policy,
    "DeleteRepositoryCreationTemplate": _template,
    "DeleteRepositoryPolicy": _repository_policy,
    "DeleteSigningConfiguration": _signing,
    "DeregisterPullTimeUpdateExclusion": _exclusion,
    "DescribeImageScanFindings": _scan,
    "DescribePullThroughCacheRules": _rule,
    "DescribeReplicationBackfillResults": _ended_backfill,
    "DescribeRepositoryCreationTemplates": _template,
    "GetLifecyclePolicy": _lifecycle_policy,
    "GetLifecyclePolicyPreview": _preview,
    "GetRegistryPolicy": _registry_policy,
    "GetRepositoryPolicy": _repository_policy,
    "GetSigningConfiguration": _signing,
    "ListPullTimeUpdateExclusions": _exclusion,
    "ListReplicationBackfills": _ended_backfill,
    "StartImageScan": _basic_scanning,
    "StartLifecyclePolicyPreview": _lifecycle_policy,
    "StartReplicationBackfill": _tags_to_copy,
    "StopReplicationBackfill": _backfill_under_way,
    "UpdatePullThroughCacheRule": _rule,
    "UpdateRepositoryCreationTemplate": _template,
    "ValidatePullThroughCacheRule": _rule,
}

# Members that the model allows one by one and ECR not together.
CONFLICTS: dict[str, set[str]] = {
    "CreatePullThroughCacheRule": {"credentialArn"},
    "DescribeImageScanFindings": {"nextToken"},
    "DescribeImages": {"imageIds", "nextToken"},
    "DescribePullThroughCacheRules": {"ecrRepositoryPrefixes", "nextToken"},
    "DescribeReplicationBackfillResults": {"nextToken"},
    "DescribeRepositories": {"repositoryNames", "nextToken"},
    "DescribeRepositoryCreationTemplates": {"prefixes", "nextToken"},
    "GetLifecyclePolicyPreview": {"imageIds", "nextToken"},
    "ListImageReferrers": {"nextToken"},
    "ListImages": {"nextToken"},
    "ListPullTimeUpdateExclusions": {"nextToken"},
    "ListReplicationBackfills": {"nextToken"},
    "UpdatePullThroughCacheRule": {"credentialArn"},
}

# What the minimal input needs although the model does not require it.
NEEDED: dict[str, set[str]] = {
    "CreatePullThroughCacheRule": {"customRoleArn"},
    "DeleteRepository": {"force"},
    "UpdatePullThroughCacheRule": {"customRoleArn"},
}


def everything(operation: str, state: State) -> dict[str, Any]:
    """A value for every member of an operation's input."""
    content = f"part {state.number}".encode()
    identifier = {"imageDigest": state.pushed.digest, "imageTag": "first"}
    values: dict[str, Any] = {
        "acceptedMediaTypes": [MANIFEST_TYPE],
        "appliedFor": ["CREATE_ON_PUSH", "REPLICATION", "PULL_THROUGH_CACHE"],
        "customRoleArn": f"arn:aws:iam::{ACCOUNT}:role/templates",
        "credentialArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/contract-AbCdEf",
        "description": "a template",
        "destination": state.destination,
        "ecrRepositoryPrefix": f"rule-{state.number}",
        "ecrRepositoryPrefixes": [f"rule-{state.number}"],
        "encryptionConfiguration": {"encryptionType": "AES256"},
        "filter": {"tagStatus": "TAGGED", "imageStatus": "ACTIVE"},
        "force": True,
        "imageDigest": state.image.digest,
        "imageId": identifier,
        "imageIds": [identifier],
        "imageManifest": state.image.manifest,
        "imageManifestMediaType": MANIFEST_TYPE,
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTag": "second",
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [FILTER],
        "layerDigest": state.pushed.layer,
        "layerDigests": [state.pushed.layer],
        "layerPartBlob": base64.b64encode(content).decode(),
        "lifecyclePolicy": LIFECYCLE_POLICY,
        "lifecyclePolicyText": LIFECYCLE_POLICY,
        "maxResults": 10,
        "name": "BLOB_MOUNTING",
        "nextToken": "never-given",
        "partFirstByte": 0,
        "partLastByte": len(content) - 1,
        "policyText": REGISTRY_POLICY if operation == "PutRegistryPolicy" else REPOSITORY_POLICY,
        "prefix": f"template-{state.number}",
        "prefixes": [f"template-{state.number}"],
        "principalArn": f"arn:aws:iam::{ACCOUNT}:role/scanner-{state.number}",
        "registryId": ACCOUNT,
        "registryIds": [ACCOUNT],
        "replicationBackfillId": state.backfill,
        "replicationConfiguration": {
            "rules": [
                {
                    "destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}],
                    "repositoryFilters": [{"filter": "contract/", "filterType": "PREFIX_MATCH"}],
                }
            ]
        },
        "repositoryName": state.name,
        "repositoryNames": [state.name],
        "repositoryPolicy": REPOSITORY_POLICY,
        "resourceArn": state.arn,
        "resourceTags": [TAG],
        "resultStatusFilter": "COMPLETE",
        "rules": [
            {
                "scanFrequency": "SCAN_ON_PUSH",
                "repositoryFilters": [{"filter": "contract/*", "filterType": "WILDCARD"}],
            }
        ],
        "scanType": "BASIC",
        "signingConfiguration": {
            "rules": [
                {
                    "signingProfileArn": f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/contract",
                    "repositoryFilters": [{"filter": "nothing-of-that-name", "filterType": "WILDCARD_MATCH"}],
                }
            ]
        },
        "subjectId": {"imageDigest": state.pushed.digest},
        "tagKeys": ["team"],
        "tags": [TAG],
        "targetStorageClass": "ARCHIVE",
        "uploadId": str(uuid.UUID(int=state.number)),
        "upstreamRegistry": "ecr",
        "upstreamRegistryUrl": ECR_UPSTREAM,
        "upstreamRepositoryPrefix": "contract",
        "value": "ENABLED",
    }
    if operation == "CreateRepository":
        values["repositoryName"] = f"{state.name}/new"
    if operation == "ListImageReferrers":
        values["filter"] = {"artifactTypes": ["application/vnd.example.signature"], "artifactStatus": "ACTIVE"}
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
    values = {name: value for name, value in everything(operation, state).items() if name in wanted}
    if operation == "PutImageTagMutability":
        values["imageTagMutability"] = "IMMUTABLE"
    return values


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


def wait_for_preview(state: State) -> None:
    """Waits as the model's waiter does, without its pauses of five seconds."""
    waiter = aws.client(state.server).get_waiter("lifecycle_policy_preview_complete")
    waiter.wait(repositoryName=state.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})


class ContractServer(Server):
    """With an upstream registry that nobody answers for."""

    def command(self) -> list[str]:
        return [
            *super().command(),
            *("--upstream-location", f"{ECR_UPSTREAM}=http://127.0.0.1:1"),
            *("--pull-through-cache-rules-per-registry", "1000"),
            # A push may have had the image scanned that is to be scanned on request.
            *("--scan-interval", "0s"),
        ]


@pytest.fixture(scope="module")
def contract(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own: they change the registry's settings."""
    running = ContractServer(binary, tmp_path_factory.mktemp("contract")).start()
    yield running
    running.close()


INPUTS = [minimal, maximal, with_nulls, unknown_member]


@pytest.mark.parametrize("make", INPUTS, ids=[make.__name__ for make in INPUTS])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_valid_input(contract: Server, operation: str, make: Callable[[str, State], dict[str, Any]]) -> None:
    state = prepare(contract)
    PREPARATIONS.get(operation, _nothing)(state)
    succeed(contract, operation, make(operation, state))


@pytest.fixture(scope="module")
def shared(contract: Server) -> State:
    """For requests that change nothing, because they are refused."""
    return prepare(contract)


def complaints(operation: OperationModel, server: Server, cases: Iterator[tuple[str, Any]], codes: set[str]) -> list[str]:
    """The cases that were not refused with one of the codes."""
    found = []
    for what, values in cases:
        answer = ask(server, operation.name, values)
        if answer.status == 200:
            found.append(f"{what}: accepted")
            continue
        document = answer.json()
        if code_of(answer) not in codes:
            found.append(f"{what}: {document}")
        found += [f"{what}: {fault}" for fault in error_faults(operation, document)]
    return found


# A tag may be refused by its own exception.
REFUSALS = {"InvalidParameterException", "ValidationException", "InvalidTagParameterException", "TooManyTagsException"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_broken_constraint(contract: Server, shared: State, operation: str) -> None:
    model = MODEL.operation_model(operation)
    cases = broken_members(model.input_shape, everything(operation, shared))
    assert not (found := complaints(model, contract, cases, REFUSALS)), "\n".join(found)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_wrong_type(contract: Server, shared: State, operation: str) -> None:
    model = MODEL.operation_model(operation)
    cases = mistyped_members(model.input_shape, everything(operation, shared))
    assert not (found := complaints(model, contract, cases, {"SerializationException"})), "\n".join(found)


# What a second call of the same input answers: nothing for a success, and a code otherwise.
AGAIN = {
    "BatchDeleteImage": None,
    "CreatePullThroughCacheRule": "PullThroughCacheRuleAlreadyExistsException",
    "CreateRepository": "RepositoryAlreadyExistsException",
    "CreateRepositoryCreationTemplate": "TemplateAlreadyExistsException",
    "DeleteLifecyclePolicy": "LifecyclePolicyNotFoundException",
    "DeletePullThroughCacheRule": "PullThroughCacheRuleNotFoundException",
    "DeleteRegistryPolicy": "RegistryPolicyNotFoundException",
    "DeleteRepository": "RepositoryNotFoundException",
    "DeleteRepositoryCreationTemplate": "TemplateNotFoundException",
    "DeleteRepositoryPolicy": "RepositoryPolicyNotFoundException",
    "DeleteSigningConfiguration": "SigningConfigurationNotFoundException",
    "DeregisterPullTimeUpdateExclusion": "ExclusionNotFoundException",
    "PutAccountSetting": None,
    "PutImage": "ImageAlreadyExistsException",
    "PutImageScanningConfiguration": None,
    "PutImageTagMutability": None,
    "PutLifecyclePolicy": None,
    "PutRegistryPolicy": None,
    "PutRegistryScanningConfiguration": None,
    "PutReplicationConfiguration": None,
    "PutSigningConfiguration": None,
    "RegisterPullTimeUpdateExclusion": "ExclusionAlreadyExistsException",
    "SetRepositoryPolicy": None,
    "StartReplicationBackfill": "ReplicationBackfillInProgressException",
    "StopReplicationBackfill": "ReplicationBackfillInvalidStatusException",
    "TagResource": None,
    "UntagResource": None,
    "UpdateImageStorageClass": "ImageStorageClassUpdateNotSupportedException",
    "UpdatePullThroughCacheRule": None,
    "UpdateRepositoryCreationTemplate": None,
}


@pytest.mark.parametrize("operation,code", AGAIN.items(), ids=list(AGAIN))
def test_the_same_again(contract: Server, operation: str, code: str | None) -> None:
    state = prepare(contract)
    PREPARATIONS.get(operation, _nothing)(state)
    values = maximal(operation, state)
    succeed(contract, operation, values)
    if code is None:
        succeed(contract, operation, values)
        return
    answer = ask(contract, operation, values)
    assert answer.status == 400 and code_of(answer) == code, str(answer)
    assert not list(error_faults(MODEL.operation_model(operation), answer.json()))


PAGED = [
    (operation, members[0])
    for operation in OPERATIONS
    if (output := MODEL.operation_model(operation).output_shape) is not None
    and "nextToken" in output.members
    and (members := [name for name, member in output.members.items() if member.type_name == "list"])
]


def largest_page(operation: str) -> int:
    """The most items that a page may have."""
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    return int(shape.members["maxResults"].metadata["max"])


@pytest.mark.parametrize("operation,member", PAGED, ids=[operation for operation, _ in PAGED])
def test_pages_of_one(contract: Server, operation: str, member: str) -> None:
    state = prepare(contract)
    for number in (2, 3):
        push(contract, state.name, make_image(contract, state.name), f"tag-{number}")
        push(contract, state.name, make_image(contract, state.name, subject=state.pushed.digest), None)
    for other in (state, prepare(contract), prepare(contract)):
        PREPARATIONS.get(operation, _nothing)(other)
    values = minimal(operation, state)
    # One page, whatever the other tests left behind.
    whole = succeed(contract, operation, {**values, "maxResults": largest_page(operation)})
    assert "nextToken" not in whole, whole
    assert len(whole[member]) >= 2, whole
    items: list[Any] = []
    page: dict[str, Any] = {}
    while not items or "nextToken" in page:
        token = {"nextToken": page["nextToken"]} if page else {}
        page = succeed(contract, operation, {**values, "maxResults": 1, **token})
        assert len(page[member]) <= 1, page
        items += page[member]
        assert len(items) <= len(whole[member]), "a listing that does not end"
    assert items == whole[member]


PAGINATORS = sorted(
    set(botocore.session.get_session().get_paginator_model("ecr")._paginator_config)  # noqa: SLF001
)


@pytest.mark.parametrize("operation", PAGINATORS)
def test_a_paginator_ends(contract: Server, operation: str) -> None:
    state = prepare(contract)
    PREPARATIONS.get(operation, _nothing)(state)
    paginator = aws.client(contract).get_paginator(botocore.xform_name(operation))
    pages = list(paginator.paginate(**minimal(operation, state), PaginationConfig={"PageSize": 1}))
    assert pages


def test_the_waiter_ends(contract: Server) -> None:
    state = prepare(contract)
    _preview(state)
    assert aws.client(contract).get_lifecycle_policy_preview(repositoryName=state.name)["status"] == "COMPLETE"
