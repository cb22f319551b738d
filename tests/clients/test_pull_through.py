"""Rules of the pull-through cache: boto3 writes them, a stand-in upstream sees who asks, docker's protocol is kept out."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.aws import failure
from harness.server import ACCOUNT, Server

USER, TOKEN = "puller", "correct horse battery staple"
HARBOR = "harbor.example.com:8443"
WEST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


class Upstream(http.server.ThreadingHTTPServer):
    """A registry of which only the front door is there; `asked` keeps the credentials of each request."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), Door)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.server_port}"


class Door(http.server.BaseHTTPRequestHandler):
    """Lets in whoever knows the password."""

    server: Upstream

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        known = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        self.server.asked.append(given)
        self.send_response(200 if given == known else 401)
        if given != known:
            self.send_header("WWW-Authenticate", 'Basic realm="upstream"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class CachingServer(Server):
    """With a stand-in for Docker Hub and for a registry that ECR does not know; the other region is itself."""

    upstream = ""

    def command(self) -> list[str]:
        return [
            *super().command(),
            *("--outbound-network", "127.0.0.0/8"),
            *("--upstream-location", f"docker-hub=http://{self.upstream}"),
            *("--upstream-location", f"{WEST}=http://{self.host}"),
            *("--upstream-registry", f"{HARBOR}=http://{self.upstream}"),
        ]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """The stand-in."""
    running = Upstream()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def caching(binary: Path, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[CachingServer]:
    """A server of these tests' own."""
    running = CachingServer(binary, tmp_path_factory.mktemp("pull-through"))
    running.upstream = upstream.host
    running.start()
    yield running
    running.close()


def secret(server: Server, name: str, value: dict[str, str]) -> str:
    """A secret with this value; its ARN."""
    made = aws.client(server, "secretsmanager").create_secret(
        Name=f"ecr-pullthroughcache/{name}", SecretString=json.dumps(value)
    )
    arn: str = made["ARN"]
    return arn


def test_a_rule_from_its_creation_to_its_end(caching: CachingServer) -> None:
    ecr = aws.client(caching)
    given = {"ecrRepositoryPrefix": "library", "upstreamRegistryUrl": "public.ecr.aws/docker/library"}
    created = ecr.create_pull_through_cache_rule(**given)
    expected = {**given, "registryId": ACCOUNT, "upstreamRegistry": "ecr-public"}
    assert {name: created[name] for name in expected} == expected
    assert "upstreamRepositoryPrefix" not in created and "credentialArn" not in created
    assert failure(ecr.create_pull_through_cache_rule, **given).code == "PullThroughCacheRuleAlreadyExistsException"
    for prefix in ("library", "library/"):
        [rule] = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[prefix])["pullThroughCacheRules"]
        assert {name: rule[name] for name in expected} == expected
        assert rule["createdAt"] == rule["updatedAt"] == created["createdAt"]
    deleted = ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="library")
    assert deleted["upstreamRegistryUrl"] == given["upstreamRegistryUrl"]
    missing = {"ecrRepositoryPrefixes": ["library"]}
    assert failure(ecr.describe_pull_through_cache_rules, **missing).code == "PullThroughCacheRuleNotFoundException"


def test_the_secret_of_a_rule(caching: CachingServer, upstream: Upstream) -> None:
    ecr = aws.client(caching)
    rule = {"ecrRepositoryPrefix": "docker-hub", "upstreamRegistryUrl": "registry-1.docker.io"}
    absent = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:ecr-pullthroughcache/absent-AbCdEf"
    for arn, code in ((None, "UnsupportedUpstreamRegistryException"), (absent, "SecretNotFoundException")):
        more = {} if arn is None else {"credentialArn": arn}
        assert failure(ecr.create_pull_through_cache_rule, **rule, **more).code == code
    good = secret(caching, "good", {"username": USER, "accessToken": TOKEN})
    created = ecr.create_pull_through_cache_rule(**rule, credentialArn=good)
    assert created["upstreamRegistry"] == "docker-hub" and created["credentialArn"] == good

    def validated() -> tuple[bool, str]:
        answer = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="docker-hub")
        return answer["isValid"], answer.get("failure", "")

    assert validated() == (True, "")
    assert upstream.asked[-1] == "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
    for name, value, told in (
        ("wrong", {"username": USER, "accessToken": "wrong"}, "authentication"),
        ("other-keys", {"username": USER, "password": TOKEN}, "`accessToken`"),
    ):
        arn = secret(caching, name, value)
        updated = ecr.update_pull_through_cache_rule(ecrRepositoryPrefix="docker-hub", credentialArn=arn)
        assert updated["credentialArn"] == arn
        valid, text = validated()
        assert not valid and told in text, text
        assert TOKEN not in text
    # A new value counts at once.
    value = json.dumps({"username": USER, "accessToken": TOKEN})
    aws.client(caching, "secretsmanager").put_secret_value(SecretId=arn, SecretString=value)
    assert validated() == (True, "")


def test_a_registry_that_ecr_does_not_know(caching: CachingServer) -> None:
    ecr = aws.client(caching)
    arn = secret(caching, "harbor", {"username": USER, "accessToken": TOKEN})
    rule = {"ecrRepositoryPrefix": "harbor", "upstreamRegistryUrl": HARBOR}
    created = ecr.create_pull_through_cache_rule(**rule, upstreamRepositoryPrefix="team", credentialArn=arn)
    assert "upstreamRegistry" not in created and created["upstreamRepositoryPrefix"] == "team"
    assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="harbor")["isValid"]
    other = {"ecrRepositoryPrefix": "other", "upstreamRegistryUrl": "registry.example.org"}
    assert failure(ecr.create_pull_through_cache_rule, **other).code == "UnsupportedUpstreamRegistryException"


def test_a_role_for_another_region(caching: CachingServer) -> None:
    ecr, iam = aws.client(caching), aws.client(caching, "iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "pullthroughcache.ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="upstream", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    role = f"arn:aws:iam::{ACCOUNT}:role/upstream"
    created = ecr.create_pull_through_cache_rule(
        ecrRepositoryPrefix="west", upstreamRegistryUrl=WEST, upstreamRegistry="ecr", customRoleArn=role
    )
    assert created["customRoleArn"] == role

    def validated() -> dict[str, Any]:
        answer: dict[str, Any] = ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="west")
        return answer

    refused = validated()
    assert not refused["isValid"] and "ecr:GetAuthorizationToken" in refused["failure"]
    allow = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="upstream", PolicyName="login", PolicyDocument=document)
    valid = validated()
    assert valid["isValid"], valid


def test_nobody_pushes_into_a_cache(caching: CachingServer) -> None:
    ecr = aws.client(caching)
    ecr.create_repository(repositoryName="quay/app")
    docker = aws.registry(caching, ecr)
    image = docker.push_small_image("quay/app", "before", "before")
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    for path in ("quay/app", "quay/absent"):
        refused = docker.send("POST", f"/v2/{path}/blobs/uploads/").expect(403).json()
        assert refused["errors"][0]["code"] == "DENIED" and "quay.io" in refused["errors"][0]["message"]
    put = {"repositoryName": "quay/app", "imageManifest": image.manifest.decode(), "imageTag": "after"}
    assert failure(ecr.put_image, **put).code == "InvalidParameterException"
    assert docker.get_manifest("quay/app", "before").expect(200).body == image.manifest
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    ecr.put_image(**put)
