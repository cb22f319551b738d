"""Terraform's AWS provider: apply, empty plan, change, empty plan, import, destroy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import aws
from harness.server import ACCOUNT, REGION, Server
from harness.terraform import NOT_IMPORTABLE, STATE_ONLY, Installation, Terraform, changes, imports, settings

pytestmark = pytest.mark.may_be_absent

HERE = Path(__file__).parent
CONFIGURATIONS = HERE / "fixtures" / "terraform"


@pytest.fixture(scope="module")
def installation() -> Installation:
    """Terraform and its provider."""
    found = Installation.find()
    if isinstance(found, str):
        pytest.skip(found)
    return found


class Story:
    """One configuration through everything that people do with it."""

    def __init__(self, installation: Installation, server: Server, name: str, directory: Path) -> None:
        self.made = Terraform(installation, server, CONFIGURATIONS / name, directory / "made")
        self.imported = Terraform(installation, server, CONFIGURATIONS / name, directory / "imported")

    def apply(self, **variables: Any) -> dict[str, Any]:
        """Applies; the next plan is empty. Answers the outputs."""
        self.made.apply(**variables)
        assert self.made.differences(**variables) == []
        return self.made.outputs()

    def import_and_destroy(self, **variables: Any) -> None:
        """A second state imports what the first one made, finds nothing to change, and destroys all of it."""
        resources = self.made.resources()
        expected = self.imported.write_imports(resources)
        plan = self.imported.plan(**variables)
        assert imports(plan) == expected
        found = changes(plan, ignored=STATE_ONLY)
        unexpected = [line for line in found if not any(line.startswith(f"{kind}.") for kind in NOT_IMPORTABLE)]
        assert unexpected == []
        self.imported.run("apply", "plan.bin")
        assert self.imported.differences(**variables) == []
        self.imported.destroy(**variables)
        # The first state learns that everything is gone.
        self.made.run("apply", "-refresh-only", "-auto-approve", "-input=false", *settings(variables))
        left = {resource["type"] for resource in self.made.resources()}
        # What every registry has cannot be gone.
        assert left <= {"aws_ecr_account_setting", "aws_ecr_registry_scanning_configuration"}, left


@pytest.fixture
def story(installation: Installation, own_server: Server, tmp_path: Path) -> Any:
    """Begins a story on a server of its own."""
    return lambda name: Story(installation, own_server, name, tmp_path / name)


def test_registry(story: Any, own_server: Server) -> None:
    ecr = aws.client(own_server)
    run = story("ecr")
    told = run.apply()
    assert told["repositories"] == ["terraform/before", "terraform/full", "terraform/plain"]
    assert told["repository"]["arn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/terraform/full"
    assert told["repository"]["repository_url"] == f"{own_server.host}/terraform/full"
    assert told["repository"]["tags"] == {"managed-by": "terraform", "team": "one", "removed": "yes"}
    assert told["token"]["user_name"] == "AWS"
    assert told["template"]["applied_for"] == ["PULL_THROUGH_CACHE", "REPLICATION"]

    image = aws.registry(own_server, ecr).push_small_image("terraform/full", "v1", "terraform")
    told = run.apply(image="v1")
    assert [found["image_digest"] for found in told["images"]] == [image.digest] * 3
    assert told["images"][0]["image_uri"] == f"{own_server.host}/terraform/full@{image.digest}"

    told = run.apply(image="v1", changed=True)
    assert "terraform/after" in told["repositories"]
    described = ecr.describe_repositories(repositoryNames=["terraform/full"])["repositories"][0]
    assert described["imageTagMutability"] == "IMMUTABLE"
    assert described["imageScanningConfiguration"] == {"scanOnPush": False}
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert [rule["destinations"][0]["region"] for rule in rules] == ["us-west-2", "eu-central-1"]
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "ENHANCED"

    run.import_and_destroy(changed=True)
    assert ecr.describe_repositories()["repositories"] == []
    assert ecr.describe_registry()["replicationConfiguration"] == {"rules": []}
    assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == []
    assert aws.failure(ecr.get_registry_policy).code == "RegistryPolicyNotFoundException"


def test_identities(story: Any, own_server: Server) -> None:
    iam = aws.client(own_server, "iam")
    run = story("iam")
    told = run.apply()
    assert told["user"] == f"arn:aws:iam::{ACCOUNT}:user/team/builder"
    assert told["role"] == f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="builder")["Groups"]] == ["team"]
    run.apply(changed=True)
    assert iam.get_user(UserName="after")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/after"
    assert iam.get_role(RoleName="deploy")["Role"]["MaxSessionDuration"] == 7200
    members = iam.get_group(GroupName="team")
    assert members["Group"]["Path"] == "/after/"
    assert sorted(user["UserName"] for user in members["Users"]) == ["after", "builder"]
    run.import_and_destroy(changed=True)
    for listed in (iam.list_users()["Users"], iam.list_groups()["Groups"], iam.list_roles()["Roles"]):
        assert listed == []
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_images_keep_a_repository(story: Any, own_server: Server) -> None:
    ecr = aws.client(own_server)
    run = story("ecr").made
    run.apply()
    aws.registry(own_server, ecr).push_small_image("terraform/plain", "v1", "terraform")
    refused = run.run("destroy", "-auto-approve", "-input=false", status=1)
    assert "RepositoryNotEmptyException" in refused.stderr or "not empty" in refused.stderr, str(refused)
    ecr.batch_delete_image(repositoryName="terraform/plain", imageIds=[{"imageTag": "v1"}])
    run.destroy()


def test_pull_through_cache_rules(story: Any) -> None:
    run = story("pull_through")
    told = run.apply()
    assert told["rule"]["upstream_registry_url"] == "public.ecr.aws"
    run.apply(changed=True)
    run.import_and_destroy(changed=True)
