"""The console's pages of people, settings, jobs and public repositories, in a browser."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Iterator

import botocore.model
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from harness import aws
from harness.browser import Browser
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tools import wait_until

HOSTILE = "<script>document.title = 'taken'</script>"
PASSWORD = "Correct-Horse-1"
REGION = "us-east-1"
HERE = f"/console/{REGION}"
PULL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:DescribeRepositories"], "Resource": "*"}],
}


@pytest.fixture(scope="module")
def pages(server: Server) -> dict[str, str]:
    """An account with all that pages show; the paths of the pages."""
    iam, ecr, public = (aws.client(server, service) for service in ("iam", "ecr", "ecr-public"))
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    iam.create_group(GroupName="developers")
    iam.create_group(GroupName="auditors")
    iam.create_user(UserName="grace", Tags=[{"Key": "team", "Value": "harbour"}])
    iam.create_user(UserName="new-one")
    iam.add_user_to_group(GroupName="developers", UserName="grace")
    iam.create_access_key(UserName="grace")
    iam.create_login_profile(UserName="grace", Password=PASSWORD)
    iam.put_user_policy(UserName="grace", PolicyName="pull", PolicyDocument=json.dumps(PULL))
    iam.put_group_policy(GroupName="developers", PolicyName="pull", PolicyDocument=json.dumps(PULL))
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps(trust), Description=HOSTILE)
    policy = iam.create_policy(PolicyName="team-pull", PolicyDocument=json.dumps(PULL))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=json.dumps(PULL), SetAsDefault=True)
    iam.attach_user_policy(UserName="grace", PolicyArn=policy)
    iam.attach_role_policy(RoleName="builder", PolicyArn=policy)
    ecr.put_replication_configuration(
        replicationConfiguration={
            "rules": [
                {
                    "destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}],
                    "repositoryFilters": [{"filter": "team/", "filterType": "PREFIX_MATCH"}],
                }
            ]
        }
    )
    ecr.create_repository(repositoryName="team/stored")
    aws.registry(server, ecr).push_small_image("team/stored", "v1", "something to look at")
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    ecr.create_repository_creation_template(
        prefix="team", appliedFor=["CREATE_ON_PUSH"], description=HOSTILE, resourceTags=[{"Key": "team", "Value": "web"}]
    )
    ecr.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::{ACCOUNT}:user/grace")
    aws.client(server, "signer").put_signing_profile(profileName="release", platformId="Notation-OCI-SHA384-ECDSA")
    public.create_repository(
        repositoryName="shown/server",
        catalogData={"description": f"Serves {HOSTILE}", "aboutText": f"# Server\n\nServes **files**.\n\n{HOSTILE}"},
    )
    return {
        "users": f"{HERE}/iam/users",
        "create-user": f"{HERE}/iam/users/-/create",
        "user": f"{HERE}/iam/users/grace",
        "new-user": f"{HERE}/iam/users/new-one",
        "inline": f"{HERE}/iam/users/grace/inline?policy=pull",
        "new-inline": f"{HERE}/iam/users/grace/inline",
        "groups": f"{HERE}/iam/groups",
        "group": f"{HERE}/iam/groups/developers",
        "roles": f"{HERE}/iam/roles",
        "role": f"{HERE}/iam/roles/builder",
        "create-role": f"{HERE}/iam/roles/-/create",
        "policies": f"{HERE}/iam/policies",
        "own-policies": f"{HERE}/iam/policies?scope=own",
        "policy": f"{HERE}/iam/policy?arn={policy}",
        "aws-policy": f"{HERE}/iam/policy?arn=arn:aws:iam::aws:policy/AdministratorAccess",
        "edit-policy": f"{HERE}/iam/policies/-/edit?arn={policy}",
        "create-policy": f"{HERE}/iam/policies/-/create",
        "registry": f"{HERE}/registry",
        "registry-policy": f"{HERE}/registry/policy",
        "replication": f"{HERE}/registry/replication",
        "no-replication": "/console/eu-north-1/registry/replication",
        "pull-through": f"{HERE}/registry/pull-through",
        "no-pull-through": "/console/eu-north-1/registry/pull-through",
        "create-rule": f"{HERE}/registry/pull-through/-/create",
        "rule": f"{HERE}/registry/pull-through/-/rule?prefix=quay",
        "templates": f"{HERE}/registry/templates",
        "no-templates": "/console/eu-north-1/registry/templates",
        "create-template": f"{HERE}/registry/templates/-/create",
        "template": f"{HERE}/registry/templates/-/template?prefix=team",
        "scanning": f"{HERE}/registry/scanning",
        "signing": f"{HERE}/registry/signing",
        "pull-times": f"{HERE}/registry/pull-times",
        "account-settings": f"{HERE}/registry/account",
        "public": f"{HERE}/public",
        "create-public": f"{HERE}/public/-/create",
        "public-repository": f"{HERE}/public/repositories/shown/server",
        "public-registry": f"{HERE}/public/registry",
        "usage": f"{HERE}/usage",
        "no-usage": "/console/eu-north-1/usage",
        "activity": f"{HERE}/activity",
        "denied-activity": f"{HERE}/activity?outcome=denied&who=nobody",
        "events": f"{HERE}/activity/events",
        "no-events": "/console/eu-north-1/activity/events",
        "jobs": f"{HERE}/jobs",
        "no-jobs": f"{HERE}/jobs?state=dead",
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def url(server: Server, path: str) -> str:
    """The address of a page."""
    return f"http://{server.host}{path}"


def text_of(browser: Browser) -> str:
    """What a page says."""
    return str(browser.run("return document.body.innerText"))


def says(browser: Browser, text: str) -> None:
    """Waits for a page that has a text."""
    try:
        wait_until(lambda: text in text_of(browser), 30, f"the page says {text!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}, but:\n{text_of(browser)}") from None


def refuses(browser: Browser, text: str) -> None:
    """Waits for a page that says that something was wrong."""
    script = "return [...document.querySelectorAll('[role=alert]')].map(alert => alert.innerText).join()"
    wait_until(lambda: text in str(browser.run(script)), 30, f"the page refuses with {text!r}")


def fill(browser: Browser, **fields: str) -> None:
    """Writes into fields in place of what they have; `_` stands for `-`."""
    for name, value in fields.items():
        field = browser.driver.find_element(By.ID, "field-" + name.replace("_", "-"))
        field.clear()
        field.send_keys(value)


def press(browser: Browser, text: str, within: str = "//main") -> None:
    """Presses the button that has this text."""
    browser.driver.find_element(By.XPATH, f"{within}//button[normalize-space()='{text}']").click()


def go(browser: Browser, server: Server, path: str) -> None:
    """Opens a page wide and light."""
    browser.show(url(server, path), width=1440, dark=False)


def sign_in(browser: Browser, server: Server, key: str = ROOT_KEY_ID, secret: str = ROOT_SECRET) -> None:
    """Signs in with an access key."""
    go(browser, server, "/console/sign-in")
    browser.driver.delete_all_cookies()
    go(browser, server, "/console/sign-in")
    fill(browser, key=key, secret=secret)
    press(browser, "Sign in")
    wait_until(lambda: HERE in browser.driver.current_url, 30, "somebody is signed in")


def shades(name: str, width: int) -> tuple[bool, ...]:
    """Whether a page is looked at dark: narrow the one, wide the other. Whoever wants pictures gets both."""
    dark = (sum(name.encode()) + (width > 600)) % 2 == 0
    return (dark, not dark) if "TONNAGE_TEST_PICTURES" in os.environ else (dark,)


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible_and_fits(
    server: Server, pages: dict[str, str], browser: Browser, width: int, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("TONNAGE_TEST_PICTURES", tmp_path))
    sign_in(browser, server)
    for name, path in pages.items():
        for dark in shades(name, width):
            browser.show(url(server, path), width=width, dark=dark)
            browser.save(pictures / f"settings-{name}-{width}-{'dark' if dark else 'light'}.png")
            assert browser.violations() == [], (name, width, dark)
            overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} is wider than {width} pixels by {overflow}"
            assert "taken" not in browser.driver.title, name
            assert browser.complaints() == [], name


def test_a_user_comes_signs_in_and_goes(server: Server, pages: dict[str, str], browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, pages["create-user"])
    fill(browser, name="not a name")
    press(browser, "Create user")
    refuses(browser, "invalid")
    fill(browser, name="ada")
    press(browser, "Create user")
    says(browser, "The user ada is created.")
    # The secret is shown once.
    press(browser, "Create access key")
    says(browser, "The secret is shown this once.")
    key, secret = (row.text for row in browser.driver.find_elements(By.CSS_SELECTOR, "main .pairs code"))
    browser.driver.find_element(By.LINK_TEXT, "I have kept it").click()
    says(browser, key)
    assert secret not in browser.driver.page_source
    # A policy: looked at first.
    browser.driver.find_element(By.LINK_TEXT, "Write a policy").click()
    says(browser, "New policy")
    wrong = {"Statement": {"Effect": "Allow", "Action": "ecr:ListRepositories", "Resource": "*"}}
    fill(browser, name="look", document=json.dumps(wrong))
    press(browser, "Check for mistakes")
    says(browser, "ecr:ListRepositories matches no action of ecr")
    fill(browser, document="{")
    press(browser, "Save policy")
    refuses(browser, "JSON")
    fill(browser, document=json.dumps(PULL))
    press(browser, "Save policy")
    says(browser, "The policy look is in force.")
    # A managed policy, a group and a password.
    Select(browser.driver.find_element(By.ID, "field-arn")).select_by_visible_text("IAMReadOnlyAccess")
    press(browser, "Attach")
    says(browser, "IAMReadOnlyAccess is attached.")
    Select(browser.driver.find_element(By.ID, "field-group")).select_by_visible_text("auditors")
    press(browser, "Add to group")
    says(browser, "The user is in the group auditors.")
    fill(browser, password="short")
    press(browser, "Set password")
    refuses(browser, "8 to 128 characters, with at")
    fill(browser, password=PASSWORD)
    press(browser, "Set password")
    says(browser, "The password is set.")

    # The new user sees what it may, and is told what is missing for the rest.
    sign_in(browser, server, key, secret)
    go(browser, server, pages["users"])
    says(browser, "grace")
    go(browser, server, pages["user"])
    press(browser, "Create access key")
    refuses(browser, "iam:CreateAccessKey")
    go(browser, server, pages["registry-policy"])
    says(browser, "The policy is not shown: you may not see it.")
    says(browser, "ecr:GetRegistryPolicy")
    go(browser, server, pages["jobs"])
    says(browser, "tonnage:ListJobs")
    go(browser, server, pages["public"])
    says(browser, "ecr-public:DescribeRepositories")

    # It goes with all that it has.
    sign_in(browser, server)
    go(browser, server, f"{HERE}/iam/users/ada")
    press(browser, "Switch off")
    says(browser, f"The key {key} is switched off.")
    fill(browser, confirm="adam")
    press(browser, "Delete user")
    refuses(browser, "Nothing was deleted")
    fill(browser, confirm="ada")
    press(browser, "Delete user")
    says(browser, "The user ada is deleted.")
    users = [user["UserName"] for user in aws.client(server, "iam").list_users()["Users"]]
    assert "ada" not in users and "grace" in users


def test_a_managed_policy_has_versions(server: Server, browser: Browser) -> None:
    iam = aws.client(server, "iam")
    sign_in(browser, server)
    go(browser, server, f"{HERE}/iam/policies/-/create")
    fill(browser, name="changing", document=json.dumps(PULL))
    press(browser, "Create policy")
    says(browser, "The policy changing is created.")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/changing"
    for number in range(5):
        go(browser, server, f"{HERE}/iam/policies/-/edit?arn={arn}")
        press(browser, "Save as new version")
        says(browser, f"Version {number + 2} is in force.")
    versions = [version["VersionId"] for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]]
    assert sorted(versions) == ["v2", "v3", "v4", "v5", "v6"]
    fill(browser, confirm="changing")
    press(browser, "Delete policy")
    says(browser, "The policy is deleted.")


def test_a_role_is_made_and_its_trust_policy_changed(server: Server, browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, f"{HERE}/iam/roles/-/create")
    fill(browser, name="deployer", hours="13")
    press(browser, "Create role")
    refuses(browser, "A session of a role lasts 1 to 12 hours.")
    fill(browser, hours="2")
    press(browser, "Create role")
    says(browser, "The role deployer is created.")
    says(browser, "120 minutes")
    fill(browser, document='{"Statement": []}')
    press(browser, "Save trust policy")
    refuses(browser, "Statement")
    fill(browser, confirm="deployer")
    press(browser, "Delete role")
    says(browser, "The role deployer is deleted.")


def test_a_registry_policy_is_refused_with_what_is_wrong(server: Server, browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, f"{HERE}/registry/policy")
    statement = {"Sid": "a", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    bad = {"Version": "2012-10-17", "Statement": [statement | {"Actions": "ecr:ReplicateImage"}]}
    fill(browser, policy=json.dumps(bad))
    press(browser, "Save policy")
    refuses(browser, "Actions")
    assert "Actions" in str(browser.driver.find_element(By.ID, "field-policy").get_attribute("value"))
    good = {"Version": "2012-10-17", "Statement": [statement | {"Action": "ecr:ReplicateImage", "Resource": "*"}]}
    fill(browser, policy=json.dumps(good))
    press(browser, "Save policy")
    says(browser, "The policy is in force.")
    press(browser, "Take the policy away")
    says(browser, "The policy is taken away.")


def test_pull_through_rules_come_and_go_without_scripts(server: Server, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile", scripts=False) as browser:
        pull_through(server, browser)


def pull_through(server: Server, browser: Browser) -> None:
    """A rule with credentials that become a secret, and its end."""
    sign_in(browser, server)
    go(browser, server, f"{HERE}/registry/pull-through/-/create")
    fill(browser, prefix="hub")
    press(browser, "Create rule")
    refuses(browser, "ecret")
    fill(browser, user="grace", token="dckr_pat_example")
    press(browser, "Create rule")
    says(browser, "The rule hub is created.")
    says(browser, f"docker pull {server.host}/hub/library/alpine")
    assert "dckr_pat_example" not in browser.driver.page_source
    rule = aws.client(server).describe_pull_through_cache_rules(ecrRepositoryPrefixes=["hub"])
    arn = rule["pullThroughCacheRules"][0]["credentialArn"]
    secret = aws.client(server, "secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    assert json.loads(secret) == {"username": "grace", "accessToken": "dckr_pat_example"}
    fill(browser, confirm="hub")
    press(browser, "Delete rule")
    says(browser, "The rule hub is deleted.")


def test_settings_of_a_registry_are_saved(server: Server, browser: Browser) -> None:
    region = "eu-central-1"
    ecr = aws.client(server, region_name=region)
    here = f"/console/{region}/registry"
    sign_in(browser, server)
    go(browser, server, f"{here}/replication")
    fill(browser, destinations_0="nowhere of mine at all")
    press(browser, "Save rules")
    refuses(browser, "is no destination")
    fill(browser, destinations_0="eu-west-1", prefixes_0="team/")
    press(browser, "Save rules")
    says(browser, "Saved: 1 rule.")
    says(browser, "eu-west-1")
    rules = ecr.describe_registry()["replicationConfiguration"]["rules"]
    assert rules[0]["destinations"] == [{"region": "eu-west-1", "registryId": ACCOUNT}]
    press(browser, "Try again what failed here")
    says(browser, "Queued again: 0 images")

    go(browser, server, f"{here}/scanning")
    fill(browser, on_push="Upper")
    press(browser, "Save scanning")
    refuses(browser, "fits no repository")
    fill(browser, on_push="team/*")
    press(browser, "Save scanning")
    says(browser, "Saved.")
    scanning = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert scanning["rules"][0]["repositoryFilters"] == [{"filter": "team/*", "filterType": "WILDCARD"}]

    go(browser, server, f"{here}/templates/-/create")
    fill(browser, prefix="Team")
    press(browser, "Create template")
    refuses(browser, "is no prefix")
    fill(browser, prefix="team", description="Made by pushes", tags="team=web")
    press(browser, "Create template")
    says(browser, "The template team is created.")
    go(browser, server, f"{here}/templates/-/template?prefix=team")
    fill(browser, description="")
    press(browser, "Save template")
    says(browser, "The template is saved.")
    template = ecr.describe_repository_creation_templates()["repositoryCreationTemplates"][0]
    assert template.get("description", "") == "" and template["resourceTags"] == [{"Key": "team", "Value": "web"}]

    go(browser, server, f"{here}/signing")
    fill(browser, name="release")
    press(browser, "Create profile")
    says(browser, "The profile release is created.")
    Select(browser.driver.find_element(By.ID, "field-profile-0")).select_by_visible_text("release")
    press(browser, "Save rules")
    says(browser, "The rules are saved.")
    press(browser, "Sign nothing any more")
    says(browser, "Nothing is signed any more.")

    go(browser, server, f"{here}/pull-times")
    fill(browser, arn="grace")
    press(browser, "Do not count its pulls")
    refuses(browser, "Give the ARN of a user or a role")
    fill(browser, arn=f"arn:aws:iam::{ACCOUNT}:user/grace")
    press(browser, "Do not count its pulls")
    says(browser, "Its pulls count no longer.")
    press(browser, "Count again")
    says(browser, "Everybody's pulls count.")

    go(browser, server, f"{here}/account")
    browser.driver.find_element(By.ID, "field-REGISTRY_POLICY_SCOPE-1").click()
    press(browser, "Save: What a registry policy decides")
    says(browser, "The setting is saved.")
    assert ecr.get_account_setting(name="REGISTRY_POLICY_SCOPE")["value"] == "V1"


def test_a_public_repository_is_written_about(server: Server, browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, f"{HERE}/public/-/create")
    fill(browser, name="people/notes", description="Notes of people")
    press(browser, "Create public repository")
    says(browser, "The repository is created.")
    fill(browser, about="# Notes\n\nWith **weight**.")
    press(browser, "Preview")
    says(browser, "Nothing is saved yet.")
    assert browser.driver.find_element(By.CSS_SELECTOR, ".prose strong").text == "weight"
    press(browser, "Save")
    says(browser, "The gallery shows it within a second.")
    public = aws.client(server, "ecr-public")
    data = public.get_repository_catalog_data(repositoryName="people/notes")["catalogData"]
    assert data["description"] == "Notes of people" and "**weight**" in data["aboutText"]
    go(browser, server, f"{HERE}/public/registry")
    fill(browser, alias="harbour")
    press(browser, "Ask for it")
    says(browser, "The alias waits for approval.")
    press(browser, "Approve")
    says(browser, "The alias is active.")
    go(browser, server, f"{HERE}/public/repositories/people/notes")
    fill(browser, confirm="people/notes")
    press(browser, "Delete repository")
    says(browser, "The repository people/notes is deleted.")


def test_jobs_are_listed_by_state(server: Server, browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, f"{HERE}/jobs")
    browser.driver.find_element(By.LINK_TEXT, "Given up").click()
    says(browser, "No job was given up")
    go(browser, server, f"{HERE}/jobs/1")
    says(browser, "1")
    assert browser.driver.find_elements(By.CSS_SELECTOR, "main .empty")
    browser.complaints()


def check_members(shape: botocore.model.Shape, value: object, path: str) -> None:
    """A value of a record is of a shape; names begin with a small letter there."""
    if value == "HIDDEN_DUE_TO_SECURITY_REASONS" or (isinstance(value, dict) and value.get("omitted") is True):
        return
    if shape.type_name == "structure":
        assert isinstance(value, dict), (path, value)
        members = {name[:1].lower() + name[1:]: member for name, member in shape.members.items()}
        for name, inner in value.items():
            assert name in members, f"{path} has no member {name}: {sorted(members)}"
            check_members(members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), (path, value)
        for inner in value:
            check_members(shape.member, inner, f"{path}[]")
    else:
        kinds = {"string": str, "boolean": bool, "integer": int, "long": int, "blob": str, "map": dict}
        assert isinstance(value, kinds[shape.type_name]), (path, value)


def test_records_of_the_console_ask_as_clients_of_aws_do(server: Server, browser: Browser) -> None:
    """What the tests above did in the browser is recorded with the parameters of AWS's actions."""
    found = aws.client(server, "cloudtrail").get_paginator("lookup_events").paginate()
    records = [json.loads(event["CloudTrailEvent"]) for page in found for event in page["Events"]]
    seen = set()
    for record in records:
        service = record["eventSource"].partition(".")[0]
        if "Chrome" not in record["userAgent"] or record["readOnly"] or service in ("signin", "tonnage"):
            continue
        action = record["eventName"]
        shape = aws.client(server, service).meta.service_model.operation_model(action).input_shape
        if shape.members:
            assert record.get("requestParameters"), record
            check_members(shape, record["requestParameters"], f"{service}:{action}")
            required = {name[:1].lower() + name[1:] for name in shape.required_members}
            assert required <= set(record["requestParameters"]), (action, record["requestParameters"])
        seen.add(action)
    assert {"CreateUser", "PutUserPolicy", "CreatePolicy", "CreateRole", "PutRegistryPolicy"} <= seen, seen
    assert len(seen) > 15, seen
