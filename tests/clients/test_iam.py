"""Users, roles and sessions: made and used with boto3, the AWS command lines and docker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import aws, image
from harness.aws import CommandLine, failure
from harness.engine import Docker
from harness.http import Registry
from harness.server import ACCOUNT, Server

OTHER = "210987654321"
PULL_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"


def allow(*actions: str, resource: str = "*") -> str:
    """A policy that allows actions on a resource."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(principal: str, **condition: Any) -> str:
    """A trust policy for a principal of AWS."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def iam(server: Server) -> Any:
    """IAM for the root of the shared server's account."""
    return aws.client(server, "iam")


def signing(credentials: dict[str, str]) -> dict[str, str]:
    """Settings of a boto3 client that signs with these credentials."""
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        **({"aws_session_token": credentials["SessionToken"]} if "SessionToken" in credentials else {}),
    }


def new_user(iam: Any, *policies: str, document: str | None = None) -> tuple[str, dict[str, str]]:
    """A user with a key; its name and how to sign as it."""
    name = aws.unique_name("user").replace("/", "-")
    iam.create_user(UserName=name)
    for arn in policies:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    if document:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document)
    return name, iam.create_access_key(UserName=name)["AccessKey"]


def test_a_user_uses_its_key(server: Server, iam: Any, repository: str) -> None:
    name, key = new_user(iam)
    user = aws.client(server, **signing(key))
    refused = aws.failure(user.describe_repositories)
    assert refused.code == "AccessDeniedException"
    assert f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized" in refused.message
    identity = aws.client(server, "sts", **signing(key)).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    assert user.describe_repositories(repositoryNames=[repository])["repositories"]
    assert aws.failure(user.delete_repository, repositoryName=repository).code == "AccessDeniedException"
    iam.detach_user_policy(UserName=name, PolicyArn=READ_ONLY)
    assert aws.failure(user.describe_repositories).code == "AccessDeniedException"


def test_documents_and_pages(iam: Any) -> None:
    prefix = "/" + aws.unique_name("pages").replace("/", "-") + "/"
    names = [aws.unique_name("page").replace("/", "-") for _ in range(5)]
    for name in names:
        iam.create_user(UserName=name, Path=prefix, Tags=[{"Key": "env", "Value": "té st"}])
    pages = iam.get_paginator("list_users").paginate(PathPrefix=prefix, PaginationConfig={"PageSize": 2})
    assert sorted(user["UserName"] for page in pages for user in page["Users"]) == sorted(names)
    assert iam.list_user_tags(UserName=names[0])["Tags"] == [{"Key": "env", "Value": "té st"}]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}]}
    iam.put_user_policy(UserName=names[0], PolicyName="p", PolicyDocument=json.dumps(document))
    assert iam.get_user_policy(UserName=names[0], PolicyName="p")["PolicyDocument"] == document
    details = iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"])
    assert set(names) <= {user["UserName"] for page in details for user in page["UserDetailList"]}


def test_limited_pull(server: Server, iam: Any, registry: Registry, repository: str) -> None:
    pushed = registry.push_small_image(repository, "v1", repository)
    _, key = new_user(iam, PULL_ONLY)
    puller = aws.registry(server, aws.client(server, **signing(key)))
    puller.get_manifest(repository, "v1").expect(200)
    puller.send("POST", f"/v2/{repository}/blobs/uploads/").expect_error(403, "DENIED")
    puller.send("DELETE", f"/v2/{repository}/manifests/{pushed.digest}").expect_error(403, "DENIED")


def test_a_key_that_is_off_ends_its_docker_token(server: Server, iam: Any, repository: str) -> None:
    name, key = new_user(iam, document=allow("ecr:*"))
    user = aws.client(server, **signing(key))
    docker_token = aws.registry(server, user)
    session = aws.client(server, "sts", **signing(key)).get_session_token()["Credentials"]
    of_session = aws.registry(server, aws.client(server, **signing(session)))
    for client in (docker_token, of_session):
        client.send("GET", f"/v2/{repository}/tags/list").expect(200)
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    for client in (docker_token, of_session):
        client.send("GET", f"/v2/{repository}/tags/list").expect(401)
    assert aws.failure(user.describe_repositories).code == "UnrecognizedClientException"


def test_docker_as_a_limited_user(
    server: Server, docker: Docker, iam: Any, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    name = f"{server.host}/{repository}:v1"
    image.write_docker_archive(archive, name, busybox)
    docker.docker("load", "--input", archive)
    docker.docker("push", name)
    _, key = new_user(iam, PULL_ONLY)
    docker.login(server.host, aws.registry_password(aws.client(server, **signing(key))))
    try:
        docker.forget(name)
        docker.docker("pull", name)
        docker.docker("tag", name, f"{server.host}/{repository}:v2")
        refused = docker.docker("push", f"{server.host}/{repository}:v2", status=1)
        assert "is not authorized to perform: ecr:" in refused.stderr, refused
    finally:
        docker.login(server.host, aws.registry_password(aws.client(server)))


def test_docker_as_a_limited_role(
    server: Server, docker: Docker, iam: Any, repository: str, busybox: image.Image, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    name = f"{server.host}/{repository}:v1"
    image.write_docker_archive(archive, name, busybox)
    docker.docker("load", "--input", archive)
    docker.docker("push", name)
    role = aws.unique_name("puller").replace("/", "-")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))["Role"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=PULL_ONLY)
    _, key = new_user(iam, document=allow("sts:AssumeRole", resource=arn))
    sts = aws.client(server, "sts", **signing(key))
    session = sts.assume_role(RoleArn=arn, RoleSessionName="node")["Credentials"]
    docker.login(server.host, aws.registry_password(aws.client(server, **signing(session))))
    try:
        docker.forget(name)
        docker.docker("pull", name)
        docker.docker("tag", name, f"{server.host}/{repository}:v2")
        refused = docker.docker("push", f"{server.host}/{repository}:v2", status=1)
        assert f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{role}/node is not authorized" in refused.stderr, refused
    finally:
        docker.login(server.host, aws.registry_password(aws.client(server)))


def test_a_role_that_alone_makes_repositories(own_server: Server) -> None:
    server = own_server
    iam = aws.client(server, "iam")
    role = iam.create_role(RoleName="devops", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))["Role"]
    iam.put_role_policy(RoleName="devops", PolicyName="p", PolicyDocument=allow("ecr:*"))
    _, developer_key = new_user(iam, document=allow("ecr:*"))
    _, operator_key = new_user(iam, document=allow("sts:AssumeRole", resource=role["Arn"]))
    sts = aws.client(server, "sts", **signing(operator_key))
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="deploy")["Credentials"]
    devops = aws.client(server, **signing(session))
    developer = aws.client(server, **signing(developer_key))
    actions = ["ecr:CreateRepository", "ecr:DeleteRepository"]
    resource = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*"
    alone = {
        "Sid": "DevopsCreates",
        "Effect": "Allow",
        "Principal": {"AWS": role["Arn"]},
        "Action": actions,
        "Resource": resource,
    }
    others = {
        "Sid": "OnlyDevops",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": role["Arn"]}},
    }

    def put(*statements: dict[str, Any]) -> None:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
        aws.client(server).put_registry_policy(policyText=text)
        assert aws.client(server).get_registry_policy()["policyText"] == text

    # An Allow locks nobody else out.
    put(alone)
    developer.create_repository(repositoryName="by-developer")
    put(alone, others)
    devops.create_repository(repositoryName="by-devops")
    for action, name in ((developer.create_repository, "another"), (developer.delete_repository, "by-devops")):
        refused = aws.failure(action, repositoryName=name)
        assert refused.code == "AccessDeniedException"
        told = 'with an explicit deny in a resource-based policy (statement "OnlyDevops")'
        assert refused.message.endswith(told), refused.message
    aws.registry(server, developer).push_small_image("by-devops", "v1", "developer")
    for name in ("by-devops", "by-developer"):
        devops.delete_repository(repositoryName=name, force=True)


def test_a_role_of_another_account(own_server: Server) -> None:
    server = own_server
    printed = server.subcommand("account", "create", "--data-dir", str(server.data), OTHER, "--name", "team").stdout
    words = [line.split() for line in printed.splitlines()]
    other = {line[0]: line[1] for line in words if line and line[0].startswith("aws_")}
    role = aws.client(server, "iam", **other).create_role(
        RoleName="deploy",
        AssumeRolePolicyDocument=trust(
            f"arn:aws:iam::{ACCOUNT}:root", Condition={"StringEquals": {"sts:ExternalId": "42"}}
        ),
    )["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
    aws.client(server, "iam", **other).attach_role_policy(RoleName="deploy", PolicyArn=READ_ONLY)
    name, key = new_user(aws.client(server, "iam"), document=allow("sts:AssumeRole", resource=role["Arn"]))
    sts = aws.client(server, "sts", **signing(key))
    request = {"RoleArn": role["Arn"], "RoleSessionName": "build"}
    assert aws.failure(sts.assume_role, **request).code == "AccessDenied", name
    answer = sts.assume_role(**request, ExternalId="42")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/deploy/build"
    session = signing(answer["Credentials"])
    assert aws.client(server, **session).describe_repositories()["repositories"] == []
    refused = aws.failure(aws.client(server, **session).create_repository, repositoryName="app")
    assert refused.code == "AccessDeniedException"
    without = {**session, "aws_session_token": None}
    assert aws.failure(aws.client(server, **without).describe_repositories).code == "UnrecognizedClientException"


@pytest.mark.parametrize("cli", aws.COMMAND_LINES, ids=lambda cli: cli.name)
def test_command_line(server: Server, cli: CommandLine) -> None:
    name = aws.unique_name("cli").replace("/", "-")
    user = cli.json(server, "iam", "create-user", "--user-name", name, "--tags", "Key=env,Value=prod")["User"]
    assert user["Tags"] == [{"Key": "env", "Value": "prod"}]
    cli.run(server, "iam", "attach-user-policy", "--user-name", name, "--policy-arn", READ_ONLY)
    key = cli.json(server, "iam", "create-access-key", "--user-name", name)["AccessKey"]
    as_user = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    assert cli.json(server, "sts", "get-caller-identity", **as_user)["Arn"] == user["Arn"]
    assert "repositories" in cli.json(server, "ecr", "describe-repositories", "--max-items", "1", **as_user)
    refused = cli.run(server, "iam", "list-users", status=None, **as_user)
    assert "(AccessDenied) when calling the ListUsers operation" in refused.stderr
    missing = cli.run(server, "iam", "get-user", "--user-name", "nobody", status=None)
    assert "(NoSuchEntity) when calling the GetUser operation" in missing.stderr
    session = cli.json(server, "sts", "get-session-token", **as_user)["Credentials"]
    as_session = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    assert cli.json(server, "sts", "get-caller-identity", **as_session)["Arn"] == user["Arn"]
    conflict = cli.run(server, "iam", "delete-user", "--user-name", name, status=None)
    assert "(DeleteConflict)" in conflict.stderr


def test_everything_terraform_reads_of_a_user_and_a_role(iam: Any) -> None:
    name, _ = new_user(iam)
    iam.create_login_profile(UserName=name, Password="Correct-horse-1")
    assert iam.get_login_profile(UserName=name)["LoginProfile"]["UserName"] == name
    assert iam.list_groups_for_user(UserName=name)["Groups"] == []
    assert iam.list_mfa_devices(UserName=name)["MFADevices"] == []
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=name)["SSHPublicKeys"] == []
    assert iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"] == []
    assert iam.list_signing_certificates(UserName=name)["Certificates"] == []
    role = aws.unique_name("role").replace("/", "-")
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:root"))
    assert iam.get_role(RoleName=role)["Role"]["MaxSessionDuration"] == 3600
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"] == []
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    profile = iam.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]
    assert [entry["RoleName"] for entry in profile["Roles"]] == [role]
    assert aws.failure(iam.delete_role, RoleName=role).code == "DeleteConflict"
    provider = iam.create_open_id_connect_provider(Url="https://issuer.example/one", ClientIDList=["a"])
    arn = provider["OpenIDConnectProviderArn"]
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["a"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    policy = iam.create_policy(PolicyName=role, PolicyDocument=allow("ecr:*"))["Policy"]
    assert iam.get_policy(PolicyArn=policy["Arn"])["Policy"]["DefaultVersionId"] == "v1"
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(allow("ecr:*"))
    assert iam.get_account_summary()["SummaryMap"]["Users"] >= 1


def test_a_denial_is_explained_to_whoever_may_decode_it(server: Server) -> None:
    ecr, iam, sts = aws.client(server), aws.client(server, "iam"), aws.client(server, "sts")
    name = aws.unique_name()
    ecr.create_repository(repositoryName=name)
    user = aws.unique_name("denied").replace("/", "-")
    iam.create_user(UserName=user)
    allow = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    deny = {"Sid": "NoListing", "Effect": "Deny", "Action": "ecr:ListImages", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})
    iam.put_user_policy(UserName=user, PolicyName="limits", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    limited = aws.client(
        server, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    for action, explicit in ((limited.list_images, True), (limited.describe_images, False)):
        refused = failure(action, repositoryName=name)
        assert refused.code == "AccessDeniedException"
        headers = refused.response["ResponseMetadata"]["HTTPHeaders"]
        message = headers["x-tonnage-authorization-message"]
        told = json.loads(sts.decode_authorization_message(EncodedMessage=message)["DecodedMessage"])
        assert (told["allowed"], told["explicitDeny"]) == (False, explicit)
        assert ("NoListing" in json.dumps(told["matchedStatements"])) == explicit
        assert told["context"]["principal"]["arn"].endswith(f":user/{user}")
        assert failure(sts.decode_authorization_message, EncodedMessage=message[:-2]).code == (
            "InvalidAuthorizationMessageException"
        )
    docker = aws.registry(server, limited)
    answer = docker.get_manifest(name, "v1").expect(403)
    message = answer.headers["x-tonnage-authorization-message"]
    told = json.loads(sts.decode_authorization_message(EncodedMessage=message)["DecodedMessage"])
    assert told["context"]["action"] == "ecr:BatchGetImage"
    log = server.log.read_text(errors="replace")
    assert "NoListing" in log and "no identity-based policy allows it" in log
