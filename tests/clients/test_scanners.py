"""Scans by a scanner of others: an adapter of Harbor's protocol pulls the image, and boto3 reads its findings."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from harness import aws
from harness.adapter import CREDENTIAL, Adapter
from harness.server import Server
from harness.tools import run
from test_scanning import DEBIAN_FILES, NPM_FILES, layer, push, wait_for

VULNERABILITIES = [
    {
        "id": "CVE-2026-0001",
        "package": "libssl3",
        "version": "3.0.9-1",
        "fix_version": "3.0.11-1",
        "severity": "High",
        "description": "A flaw.",
        "links": ["https://avd.example/CVE-2026-0001"],
        "preferred_cvss": {"vector_v3": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "score_v3": 7.5},
    },
    {"id": "GHSA-aaaa-bbbb-cccc", "package": "left-pad", "version": "1.3.0", "severity": "Critical"},
]


class OthersServer(Server):
    """A server whose images are scanned by an adapter."""

    def __init__(self, binary: Any, directory: Any, adapter: Adapter) -> None:
        super().__init__(binary, directory)
        self.adapter = adapter

    def command(self) -> list[str]:
        """As every server, with the scanner."""
        credential = self.directory / "credential"
        credential.write_text(f"{CREDENTIAL}\n")
        scanner = f"name=other,url={self.adapter.url},registry={self.url},credential_file={credential},timeout=60s"
        words = ["--scanner", scanner, "--scanner-for", "*=other", "--outbound-network", "127.0.0.0/8"]
        return [*super().command(), *words]


@pytest.fixture
def others(binary: Any, tmp_path: Any) -> Iterator[OthersServer]:
    """A server with an adapter beside it."""
    adapter = Adapter()
    adapter.vulnerabilities = VULNERABILITIES
    running = OthersServer(binary, tmp_path / "server", adapter)
    running.start()
    yield running
    running.close()
    adapter.close()


def test_basic_findings_of_an_adapter(others: OthersServer) -> None:
    ecr = aws.client(others)
    ecr.create_repository(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    digest = push(others, ecr, "app", "v1", layer(DEBIAN_FILES), layer(NPM_FILES))
    findings = wait_for(ecr, "app", "v1", "COMPLETE")["imageScanFindings"]
    assert findings["findingSeverityCounts"] == {"HIGH": 1, "CRITICAL": 1}
    _, second = findings["findings"]
    assert (second["name"], second["uri"]) == ("CVE-2026-0001", "https://avd.example/CVE-2026-0001")
    attributes = {attribute["key"]: attribute["value"] for attribute in second["attributes"]}
    assert attributes["tonnage:scanner"] == "Stand-in 1.2"
    assert (attributes["package_name"], attributes["CVSS3_SCORE"]) == ("libssl3", "7.5")
    # The adapter read this image and could do nothing else; nobody pulled it.
    [scan] = others.adapter.scans
    assert scan["request"]["artifact"]["digest"] == digest
    assert (scan["manifest"], scan["layers"], scan["tags"]) == (200, [200, 200], 403)
    [image] = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert "lastRecordedPullTime" not in image

    # An adapter that is wrong or gone is told, and may be right the next time.
    for misbehaves, told in [("type", "of the type"), ("error", "the database is gone")]:
        others.adapter.misbehaves = misbehaves
        push(others, ecr, "app", misbehaves, layer(DEBIAN_FILES))
        status = wait_for(ecr, "app", misbehaves, "FAILED")["imageScanStatus"]
        assert told in status["description"]
    others.adapter.misbehaves = ""
    ecr.start_image_scan(repositoryName="app", imageId={"imageTag": "type"})
    wait_for(ecr, "app", "type", "COMPLETE")


def test_enhanced_findings_of_an_adapter(others: OthersServer) -> None:
    ecr = aws.client(others)
    ecr.create_repository(repositoryName="app")
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    push(others, ecr, "app", "v1", layer(DEBIAN_FILES), layer(NPM_FILES))
    findings = wait_for(ecr, "app", "v1", "ACTIVE")["imageScanFindings"]
    first, second = findings["enhancedFindings"]
    assert (first["severity"], second["severity"], second["score"]) == ("CRITICAL", "HIGH", 7.5)
    details = second["packageVulnerabilityDetails"]
    assert details["source"] == "Stand-in 1.2"
    [package] = details["vulnerablePackages"]
    assert (package["packageManager"], package["fixedInVersion"]) == ("OS", "3.0.11-1")


def test_the_operator_tries_an_adapter(others: OthersServer) -> None:
    listed = run(others.binary, "scanners", "list", "--data-dir", others.data)
    assert others.adapter.url in listed.stdout
    tested = run(others.binary, "scanners", "test", "other", "--data-dir", others.data)
    assert "Stand-in 1.2" in tested.stdout and "vulnerability.report" in tested.stdout
    (others.directory / "credential").write_text("Bearer wrong\n")
    refused = run(others.binary, "scanners", "test", "other", "--data-dir", others.data, status=-1)
    assert "who are you?" in refused.stderr
