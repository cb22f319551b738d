"""Every operation of botocore's newest ECR model: served by its rules, or refused by name."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from harness import aws
from harness.server import ACCOUNT, Server
from harness.sigv4 import call

MODEL = botocore.session.get_session().get_service_model("ecr")
OPERATIONS = sorted(MODEL.operation_names)

FIRST_RELEASE = {
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteRepository",
    "DescribeImages",
    "DescribeRepositories",
    "GetAuthorizationToken",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "ListImages",
    "ListTagsForResource",
    "PutImage",
    "PutImageTagMutability",
    "TagResource",
    "UntagResource",
    "UploadLayerPart",
}

# One well-formed value for each kind of required member.
VALUES: dict[str, Any] = {
    "repositoryName": "model/walk",
    "registryId": ACCOUNT,
    "resourceArn": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/model/walk",
    "uploadId": "8b5c9d04-0000-4000-8000-000000000000",
    "layerDigest": "sha256:" + "0" * 64,
    "layerDigests": ["sha256:" + "0" * 64],
    "imageIds": [{"imageTag": "absent"}],
    "imageManifest": "{}",
    "imageTagMutability": "MUTABLE",
    "partFirstByte": 0,
    "partLastByte": 0,
    "layerPartBlob": b"x",
    "tags": [{"Key": "a", "Value": "1"}],
    "tagKeys": ["a"],
}


def test_the_model_has_what_we_serve() -> None:
    assert FIRST_RELEASE <= set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_served_or_refused_by_name(server: Server, operation: str) -> None:
    answer = call(server, operation)
    document = answer.json()
    if operation in FIRST_RELEASE:
        assert "UnknownOperationException" not in str(document), str(answer)
        return
    if answer.status == 200:
        return
    message = document.get("message", document.get("Message", ""))
    code = document["__type"].rpartition("#")[2]
    # Either it is built and judged the empty input, or the answer says which operation is not.
    assert (
        code in ("InvalidParameterException", "ValidationException")
        or code.endswith("NotFoundException")
        or (operation in message)
    ), str(answer)


REQUIRED = [
    (operation, member)
    for operation in sorted(FIRST_RELEASE)
    if (shape := MODEL.operation_model(operation).input_shape) is not None
    for member in shape.required_members
]


@pytest.mark.parametrize("operation,member", REQUIRED, ids=[f"{o}-{m}" for o, m in REQUIRED])
def test_a_required_member_is_required(server: Server, operation: str, member: str) -> None:
    ecr = aws.client(server, parameter_validation=False)
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    values = {name: VALUES[name] for name in shape.required_members if name != member}
    failed = aws.failure(getattr(ecr, botocore.xform_name(operation)), **values)
    assert failed.code in ("InvalidParameterException", "ValidationException"), failed
    assert member.lower() in failed.message.lower(), failed
