"""An account that calls too often, as boto3 and a client of the distribution protocol meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import boto3
import pytest
from botocore.config import Config

from harness import aws
from harness.server import ROOT_KEY_ID, ROOT_SECRET, Server


class ThrottledServer(Server):
    """With ECR's own rates."""

    def command(self) -> list[str]:
        return [*super().command(), "--api-throttling", "1"]


@pytest.fixture
def throttled(binary: Path, tmp_path: Path) -> Iterator[ThrottledServer]:
    server = ThrottledServer(binary, tmp_path / "server")
    server.start()
    yield server
    server.close()


def test_who_calls_too_often_waits(throttled: ThrottledServer) -> None:
    ecr = aws.client(throttled)
    ecr.create_repository(repositoryName="app")
    registry = aws.registry(throttled, ecr)
    image = registry.push_small_image("app", "v1", "throttled")
    # Ten a second, however fast the machine is: this many in a row take seconds.
    answers = [registry.push_manifest("app", "v1", image.manifest) for _ in range(100)]
    refused = [answer for answer in answers if answer.status != 201]
    assert refused and len(refused) < 100
    for answer in refused:
        assert answer.status == 429 and answer.headers["Retry-After"] == "1"
        assert answer.json()["errors"][0] == {"code": "TOOMANYREQUESTS", "message": "Rate exceeded"}

    put: dict[str, Any] = {"repositoryName": "app", "imageManifest": image.manifest.decode(), "imageTag": "v2"}
    for number in range(100):
        try:
            ecr.put_image(**{**put, "imageTag": f"t{number}"})
        except ecr.exceptions.ClientError as error:
            assert error.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            break
    else:
        raise AssertionError("nothing was throttled")

    # An SDK with its retries does not notice.
    patient = boto3.client(
        "ecr",
        endpoint_url=throttled.url,
        region_name=throttled.region,
        aws_access_key_id=ROOT_KEY_ID,
        aws_secret_access_key=ROOT_SECRET,
        config=Config(retries={"mode": "standard", "total_max_attempts": 10}, proxies={}),
    )
    for number in range(15):
        patient.put_image(**{**put, "imageTag": f"patient{number}"})
