"""Findings of a registry and rules over them, as boto3 and the CLI ask Amazon Inspector."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness import aws
from harness.aws import CommandLine, failure
from harness.http import MANIFEST_TYPE, digest_of
from harness.server import ACCOUNT, REGION
from harness.tools import run, wait_until
from test_scanning import DEBIAN_FILES, NPM_FILES, PATIENCE, ScanningServer, layer, push, scanning, wait_for

__all__ = ["scanning"]

OPENVEX = "application/vnd.openvex+json"


def equals(name: str, value: str) -> dict[str, Any]:
    """Criteria of one condition."""
    return {name: [{"comparison": "EQUALS", "value": value}]}


def prepared(server: ScanningServer) -> tuple[Any, Any]:
    """A registry with an image that is scanned in the enhanced way; clients of ECR and Inspector."""
    ecr, inspector = aws.client(server), aws.client(server, "inspector2")
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    ecr.create_repository(repositoryName="app")
    push(server, ecr, "app", "v1", layer(DEBIAN_FILES), layer(NPM_FILES))
    wait_for(ecr, "app", "v1", "ACTIVE")
    return ecr, inspector


def test_findings_are_listed_counted_and_suppressed(scanning: ScanningServer) -> None:
    assert aws.client(scanning, "inspector2").list_findings()["findings"] == []
    ecr, inspector = prepared(scanning)
    state = inspector.batch_get_account_status()["accounts"][0]
    assert state["resourceState"]["ecr"]["status"] == "ENABLED"
    assert state["resourceState"]["ec2"]["status"] == "DISABLED"

    pages = inspector.get_paginator("list_findings").paginate(
        sortCriteria={"field": "SEVERITY", "sortOrder": "DESC"}, PaginationConfig={"PageSize": 1}
    )
    found = [finding for page in pages for finding in page["findings"]]
    assert [finding["severity"] for finding in found] == ["CRITICAL", "HIGH"]
    worst = found[0]
    assert worst["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2026-0003"
    assert worst["inspectorScore"] == 9.8
    assert worst["inspectorScoreDetails"]["adjustedCvss"]["version"] == "3.1"
    assert worst["resources"][0]["details"]["awsEcrContainerImage"]["imageTags"] == ["v1"]
    assert worst["resources"][0]["region"] == REGION
    details = inspector.batch_get_finding_details(findingArns=[worst["findingArn"]])
    assert [detail["findingArn"] for detail in details["findingDetails"]] == [worst["findingArn"]]

    refused = failure(inspector.list_findings, filterCriteria={"portRange": [{"beginInclusive": 1}]})
    assert (refused.code, refused.status) == ("ValidationException", 400)
    assert "portRange" in refused.message

    counted = inspector.list_finding_aggregations(
        aggregationType="REPOSITORY",
        aggregationRequest={"repositoryAggregation": {"sortBy": "CRITICAL", "sortOrder": "DESC"}},
    )["responses"]
    assert [row["repositoryAggregation"]["repository"] for row in counted] == ["app"]
    assert counted[0]["repositoryAggregation"]["severityCounts"] == {"all": 2, "critical": 1, "high": 1}
    covered = inspector.list_coverage(filterCriteria=equals("resourceType", "AWS_ECR_CONTAINER_IMAGE"))
    assert [row["scanStatus"]["statusCode"] for row in covered["coveredResources"]] == ["ACTIVE"]
    statistics = inspector.list_coverage_statistics(groupBy="RESOURCE_TYPE")
    assert statistics["totalCounts"] == 2

    arn = inspector.create_filter(
        name="pad",
        action="SUPPRESS",
        reason="it is not called",
        filterCriteria=equals("vulnerabilityId", "CVE-2026-0003"),
        tags={"team": "web"},
    )["arn"]

    def statuses() -> list[str]:
        told = ecr.describe_image_scan_findings(repositoryName="app", imageId={"imageTag": "v1"})
        findings = told["imageScanFindings"]
        by_severity = {it["severity"]: it["status"] for it in findings["enhancedFindings"]}
        assert ("CRITICAL" in findings["findingSeverityCounts"]) == (by_severity["CRITICAL"] == "ACTIVE")
        return [by_severity["CRITICAL"], by_severity["HIGH"]]

    wait_until(lambda: statuses() == ["SUPPRESSED", "ACTIVE"], PATIENCE, "the finding is suppressed")
    suppressed = inspector.list_findings(filterCriteria=equals("findingStatus", "SUPPRESSED"))["findings"]
    assert [finding["findingArn"] for finding in suppressed] == [worst["findingArn"]]
    assert suppressed[0]["resources"][0]["tags"] == {
        "tonnage:suppressed-by": arn,
        "tonnage:suppression-reason": "it is not called",
    }
    inspector.update_filter(filterArn=arn, action="NONE")
    wait_until(lambda: statuses() == ["ACTIVE", "ACTIVE"], PATIENCE, "the finding counts again")
    inspector.delete_filter(arn=arn)


def test_filters(scanning: ScanningServer) -> None:
    inspector = aws.client(scanning, "inspector2")
    criteria = equals("severity", "LOW")
    arn = inspector.create_filter(
        name="noise", action="NONE", description="quiet", filterCriteria=criteria, tags={"a": "b"}
    )["arn"]
    assert arn.startswith(f"arn:aws:inspector2:{REGION}:{ACCOUNT}:owner/{ACCOUNT}/filter/")
    taken = failure(lambda: inspector.create_filter(name="noise", action="NONE", filterCriteria=criteria))
    assert taken.code == "BadRequestException"
    (listed,) = inspector.list_filters(action="NONE")["filters"]
    assert (listed["arn"], listed["criteria"], listed["description"]) == (arn, criteria, "quiet")
    inspector.tag_resource(resourceArn=arn, tags={"c": "d"})
    inspector.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert inspector.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "d"}
    inspector.delete_filter(arn=arn)
    assert failure(inspector.delete_filter, arn=arn).code == "ResourceNotFoundException"
    try:
        inspector.enable(resourceTypes=["ECR"])
    except ClientError as error:
        assert "POST /enable" in str(error)
    else:
        raise AssertionError("enable is not served")


@pytest.mark.parametrize("cli", aws.COMMAND_LINES, ids=lambda cli: cli.name)
def test_the_command_line(scanning: ScanningServer, cli: CommandLine) -> None:
    prepared(scanning)
    told = cli.json(scanning, "inspector2", "list-findings", "--max-results", "1")
    assert len(told["findings"]) == 1


def test_a_vex_document_beside_an_image(scanning: ScanningServer) -> None:
    ecr, inspector = prepared(scanning)
    registry = aws.registry(scanning, ecr)
    (image,) = ecr.describe_images(repositoryName="app")["imageDetails"]
    digest, size = image["imageDigest"], len(registry.get_manifest("app", "v1").expect(200).body)
    document = json.dumps(
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": "https://example.com/vex/1",
            "author": "the makers",
            "timestamp": "2026-01-01T00:00:00Z",
            "version": 1,
            "statements": [
                {
                    "vulnerability": {"name": "CVE-2026-0003"},
                    "products": [{"@id": f"pkg:oci/app@{digest}", "subcomponents": [{"@id": "pkg:npm/left-pad"}]}],
                    "status": "not_affected",
                    "justification": "vulnerable_code_not_present",
                }
            ],
        }
    ).encode()
    registry.push_blob("app", b"{}").expect(201)
    registry.push_blob("app", document).expect(201)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": OPENVEX,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [{"mediaType": OPENVEX, "digest": digest_of(document), "size": len(document)}],
        "subject": {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size},
    }
    content = json.dumps(manifest).encode()
    registry.push_manifest("app", digest_of(content), content).expect(201)

    def suppressed() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = inspector.list_findings(filterCriteria=equals("findingStatus", "SUPPRESSED"))[
            "findings"
        ]
        return told

    wait_until(lambda: bool(suppressed()), PATIENCE, "the finding is suppressed")
    (finding,) = suppressed()
    assert finding["packageVulnerabilityDetails"]["vulnerabilityId"] == "CVE-2026-0003"
    tags = finding["resources"][0]["tags"]
    assert tags["tonnage:vex-status"] == "not_affected"
    assert tags["tonnage:suppression-reason"] == "vulnerable_code_not_present"
    assert tags["tonnage:suppressed-by"].endswith(digest_of(content))


def test_a_vex_document_of_the_registry(scanning: ScanningServer) -> None:
    ecr, inspector = prepared(scanning)
    here = ("--data-dir", scanning.data)
    product = {"@id": "pkg:oci/app?repository_url=any.example.com/app", "subcomponents": [{"@id": "pkg:npm/left-pad"}]}
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/2",
        "author": "the makers",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-0003"},
                "products": [product],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
            }
        ],
    }
    file = scanning.directory / "known.openvex.json"
    file.write_text(json.dumps(document))
    assert "1 statements" in run(scanning.binary, "vex", "put", file, *here).stdout

    def suppressed() -> list[str]:
        found = inspector.list_findings(filterCriteria=equals("findingStatus", "SUPPRESSED"))["findings"]
        return [finding["packageVulnerabilityDetails"]["vulnerabilityId"] for finding in found]

    wait_until(lambda: suppressed() == ["CVE-2026-0003"], PATIENCE, "the finding is suppressed")
    [finding] = inspector.list_findings(filterCriteria=equals("findingStatus", "SUPPRESSED"))["findings"]
    [resource] = finding["resources"]
    assert resource["tags"]["tonnage:suppressed-by"].endswith(":vex-document/known.openvex.json")
    assert resource["details"]["awsEcrContainerImage"]["architecture"] == "amd64"
    [listed] = inspector.list_findings(
        filterCriteria={**equals("ecrImageArchitecture", "amd64"), **equals("vulnerabilityId", "CVE-2026-0003")}
    )["findings"]
    assert listed["findingArn"] == finding["findingArn"]
    assert "known.openvex.json" in run(scanning.binary, "vex", "list", *here).stdout
    assert json.loads(run(scanning.binary, "vex", "show", "known.openvex.json", *here).stdout) == document
    told = json.loads(run(scanning.binary, "images", "findings", "app", "v1", "--json", *here).stdout)
    assert {found["name"]: found["status"] for found in told["findings"]}["CVE-2026-0003"] == "SUPPRESSED"
    assert [package["layer"] for found in told["findings"] for package in found["packages"]] == [1, 0]
    run(scanning.binary, "vex", "delete", "known.openvex.json", *here)
    wait_until(lambda: suppressed() == [], PATIENCE, "it counts again")
    assert ecr.describe_images(repositoryName="app")["imageDetails"]
