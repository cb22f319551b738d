"""Managed signing, with signatures verified by somebody else's cryptography: Python's, from the specification."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any, Iterator

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import aws
from harness.aws import CommandLine, failure
from harness.http import INDEX_TYPE, MANIFEST_TYPE, Registry, digest_of
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tools import wait_until

PATIENCE = 30
PLATFORM = "Notation-OCI-SHA384-ECDSA"
SIGNATURE = "application/vnd.cncf.notary.signature"


@pytest.fixture
def signing(binary: Any, tmp_path: Any) -> Iterator[Server]:
    """A server of the test's own, since rules are for the whole registry."""
    running = Server(binary, tmp_path / "server").start()
    yield running
    running.close()


def rules(ecr: Any, *arns: str, filters: list[str] | None = None) -> None:
    """Has images signed by these profiles."""
    wanted: list[dict[str, Any]] = [{"signingProfileArn": arn} for arn in arns]
    for rule in wanted:
        if filters:
            rule["repositoryFilters"] = [{"filter": text, "filterType": "WILDCARD_MATCH"} for text in filters]
    ecr.put_signing_configuration(signingConfiguration={"rules": wanted})


def statuses(ecr: Any, name: str, **identifier: str) -> dict[str, str]:
    """Where the signatures of an image stand, by profile."""
    told = ecr.describe_image_signing_status(repositoryName=name, imageId=identifier)["signingStatuses"]
    return {status["signingProfileArn"]: status["status"] for status in told}


def wait_until_signed(ecr: Any, name: str, tag: str) -> None:
    """Waits for every signature."""

    def is_signed() -> bool:
        told = statuses(ecr, name, imageTag=tag)
        return bool(told) and set(told.values()) == {"COMPLETE"}

    wait_until(is_signed, PATIENCE, f"{name}:{tag} is signed")


def referrers(docker: Registry, name: str, digest: str) -> list[dict[str, Any]]:
    """The signatures of an image, as a verifier finds them."""
    answer = docker.send("GET", f"/v2/{name}/referrers/{digest}?artifactType={SIGNATURE}").expect(200)
    found: list[dict[str, Any]] = answer.json()["manifests"]
    return found


def authority_of(server: Server, profile: str) -> x509.Certificate:
    """What a verifier trusts, fetched as the guide says."""
    request = AWSRequest("GET", f"{server.url}/signing-profiles/{profile}/certificate")
    SigV4Auth(Credentials(ROOT_KEY_ID, ROOT_SECRET), "signer", server.region).add_auth(request)
    asked = urllib.request.Request(request.url, headers=dict(request.headers.items()))
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return x509.load_pem_x509_certificate(answer.read())


def padded(text: str) -> bytes:
    """Decodes the base64 of JOSE."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(
    docker: Registry, name: str, signature: dict[str, Any], image: tuple[str, bytes, str], authority: x509.Certificate
) -> x509.Certificate:
    """Verifies a signature as the Notary Project's specification says; the certificate that signed."""
    digest, content, media_type = image
    manifest = docker.get_manifest(name, signature["digest"]).expect(200).json()
    target = {"mediaType": media_type, "digest": digest, "size": len(content)}
    assert signature["artifactType"] == SIGNATURE
    assert manifest["mediaType"] == MANIFEST_TYPE and manifest["subject"] == target
    assert manifest["config"]["mediaType"] == SIGNATURE and len(manifest["layers"]) == 1
    layer = manifest["layers"][0]
    assert layer["mediaType"] == "application/jose+json"
    envelope_bytes = docker.get_blob(name, layer["digest"]).expect(200).body
    assert digest_of(envelope_bytes) == layer["digest"]
    envelope = json.loads(envelope_bytes)

    chain = [x509.load_der_x509_certificate(base64.b64decode(text)) for text in envelope["header"]["x5c"]]
    prints = [certificate.fingerprint(hashes.SHA256()).hex() for certificate in chain]
    assert json.loads(manifest["annotations"]["io.cncf.notary.x509chain.thumbprint#S256"]) == prints
    leaf, root = chain
    assert root == authority
    root.verify_directly_issued_by(root)
    leaf.verify_directly_issued_by(root)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CODE_SIGNING]
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca
    certify = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert certify.critical and certify.value.key_cert_sign

    protected = json.loads(padded(envelope["protected"]))
    assert protected["alg"] == "ES384" and protected["cty"] == "application/vnd.cncf.notary.payload.v1+json"
    assert protected["io.cncf.notary.signingScheme"] == "notary.x509"
    assert set(protected["crit"]) == {"io.cncf.notary.signingScheme"}
    assert json.loads(padded(envelope["payload"])) == {"targetArtifact": target}
    raw = padded(envelope["signature"])
    assert len(raw) == 96
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
    signed = f"{envelope['protected']}.{envelope['payload']}".encode()
    encoded = encode_dss_signature(int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big"))
    key.verify(encoded, signed, ec.ECDSA(hashes.SHA384()))
    return leaf


def test_pushed_images_are_signed_and_verify(signing: Server) -> None:
    ecr, signer = aws.client(signing), aws.client(signing, "signer")
    docker = aws.registry(signing, ecr)
    name = "team/app"
    ecr.create_repository(repositoryName=name)
    docker.push_small_image(name, "before", "before")
    made = signer.put_signing_profile(profileName="release", platformId=PLATFORM, tags={"team": "one"})
    rules(ecr, made["arn"], filters=["team/*"])
    image = docker.push_small_image(name, "v1", "v1")
    wait_until_signed(ecr, name, "v1")
    authority = authority_of(signing, "release")
    found = referrers(docker, name, image.digest)
    assert len(found) == 1
    leaf = verify(docker, name, found[0], (image.digest, image.manifest, MANIFEST_TYPE), authority)
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)[0].value == ACCOUNT
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "release"

    descriptor = {"mediaType": MANIFEST_TYPE, "digest": image.digest, "size": len(image.manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [descriptor]}).encode()
    docker.push_manifest(name, "list", index, INDEX_TYPE).expect(201)
    wait_until_signed(ecr, name, "list")
    found = referrers(docker, name, digest_of(index))
    assert len(found) == 1
    verify(docker, name, found[0], (digest_of(index), index, INDEX_TYPE), authority)

    assert statuses(ecr, name, imageTag="before") == {}
    assert statuses(ecr, name, imageDigest=found[0]["digest"]) == {}
    ecr.create_repository(repositoryName="other")
    docker.push_small_image("other", "v1", "v1")
    assert statuses(ecr, "other", imageTag="v1") == {}


def test_signatures_outlive_a_kill(signing: Server) -> None:
    ecr, signer = aws.client(signing), aws.client(signing, "signer")
    arn = signer.put_signing_profile(profileName="release", platformId=PLATFORM)["arn"]
    ecr.create_repository(repositoryName="app")
    rules(ecr, arn)
    docker = aws.registry(signing, ecr)
    images = [docker.push_small_image("app", f"v{number}", f"v{number}") for number in range(20)]
    signing.kill()
    signing.start()
    ecr = aws.client(signing)
    docker = aws.registry(signing, ecr)
    authority = authority_of(signing, "release")
    for number, image in enumerate(images):
        wait_until_signed(ecr, "app", f"v{number}")
        found = referrers(docker, "app", image.digest)
        assert len(found) == 1
        verify(docker, "app", found[0], (image.digest, image.manifest, MANIFEST_TYPE), authority)


def test_who_may_not_sign_pushes_all_the_same(signing: Server) -> None:
    ecr, signer, iam = aws.client(signing), aws.client(signing, "signer"), aws.client(signing, "iam")
    arn = signer.put_signing_profile(profileName="release", platformId=PLATFORM)["arn"]
    ecr.create_repository(repositoryName="app")
    rules(ecr, arn)
    iam.create_user(UserName="pusher")
    statement = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="pusher", PolicyName="push", PolicyDocument=policy)
    key = iam.create_access_key(UserName="pusher")["AccessKey"]
    theirs = aws.client(
        signing, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    aws.registry(signing, theirs).push_small_image("app", "v1", "v1")
    told = ecr.describe_image_signing_status(repositoryName="app", imageId={"imageTag": "v1"})["signingStatuses"]
    assert [(status["status"], status["failureCode"]) for status in told] == [("FAILED", "AccessDenied")]
    assert f"signer:SignPayload on resource: {arn}" in told[0]["failureReason"]


def test_profiles(signing: Server) -> None:
    signer = aws.client(signing, "signer")
    assert failure(signer.get_signing_profile, profileName="release").code == "ResourceNotFoundException"
    made = signer.put_signing_profile(profileName="release", platformId=PLATFORM, tags={"team": "one"})
    assert made["arn"] == f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/release"
    assert made["profileVersionArn"] == f"{made['arn']}/{made['profileVersion']}"
    again = failure(signer.put_signing_profile, profileName="release", platformId=PLATFORM)
    assert again.code == "ValidationException" and "exists already" in again.message
    shown = signer.get_signing_profile(profileName="release")
    assert (shown["status"], shown["platformId"], shown["tags"]) == ("Active", PLATFORM, {"team": "one"})
    for number in range(30):
        signer.put_signing_profile(profileName=f"many_{number:02}", platformId=PLATFORM)
    pages = signer.get_paginator("list_signing_profiles").paginate(PaginationConfig={"PageSize": 7})
    names = [profile["profileName"] for page in pages for profile in page["profiles"]]
    assert names == [f"many_{number:02}" for number in range(30)] + ["release"]
    lambda_ = failure(signer.put_signing_profile, profileName="other", platformId="AWSLambda-SHA384-ECDSA")
    assert lambda_.code == "ValidationException" and "only containers" in lambda_.message
    validity = {"type": "DAYS", "value": 1}
    refused = failure(
        signer.put_signing_profile, profileName="other", platformId=PLATFORM, signatureValidityPeriod=validity
    )
    assert refused.code == "ValidationException" and "signatureValidityPeriod" in refused.message
    unserved = failure(signer.cancel_signing_profile, profileName="release")
    assert "DELETE /signing-profiles/release" in unserved.message


@pytest.mark.parametrize("cli", aws.COMMAND_LINES, ids=lambda cli: cli.name)
def test_command_line(signing: Server, cli: CommandLine) -> None:
    platform = ("--profile-name", "release", "--platform-id", PLATFORM)
    made = cli.json(signing, "signer", "put-signing-profile", *platform)
    listed = cli.json(signing, "signer", "list-signing-profiles")["profiles"]
    assert [profile["arn"] for profile in listed] == [made["arn"]]
