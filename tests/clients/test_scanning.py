"""Scanning with real clients: images are pushed, advisories are files, findings are what boto3 and the CLI read."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from botocore.exceptions import ClientError, WaiterError
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness import aws
from harness.aws import failure
from harness.http import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Registry, digest_of
from harness.server import ACCOUNT, Server
from harness.tools import run, wait_until

PATIENCE = 60
BOOKWORM = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'


def osv(identifier: str, cve: str, ecosystem: str, package: str, fixed: str, **more: Any) -> dict[str, Any]:
    """A record of the OSV schema: everything before a version is affected."""
    kind = "SEMVER" if ecosystem == "npm" else "ECOSYSTEM"
    return {
        "schema_version": "1.6.0",
        "id": identifier,
        "aliases": [cve],
        "modified": "2026-01-02T03:04:05Z",
        "published": "2026-01-01T00:00:00Z",
        "details": f"A flaw of {package}.",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [{"type": kind, "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }
        ],
        **more,
    }


DEBIAN = {"ecosystem_specific": {"urgency": "high"}}
ADVISORIES = [
    osv("DEBIAN-CVE-2026-0001", "CVE-2026-0001", "Debian:12", "openssl", "3.0.11-1~deb12u3"),
    osv("DEBIAN-CVE-2026-0002", "CVE-2026-0002", "Debian:12", "openssl", "3.0.2-1"),
    osv(
        "GHSA-aaaa-bbbb-cccc",
        "CVE-2026-0003",
        "npm",
        "left-pad",
        "1.3.1",
        severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    ),
]
ADVISORIES[0]["affected"][0].update(DEBIAN)
STATUS = (
    b"Package: libssl3\nStatus: install ok installed\nSource: openssl\nArchitecture: amd64\n"
    b"Version: 3.0.9-1\nMaintainer: Debian\n\n"
    b"Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2+b2\n\n"
)
DEBIAN_FILES = {"etc/os-release": BOOKWORM, "var/lib/dpkg/status": STATUS}
NPM_FILES = {"app/node_modules/left-pad/package.json": b'{"name": "left-pad", "version": "1.3.0"}'}


class ScanningServer(Server):
    """A server whose advisories are in a directory beside its data."""

    @property
    def advisories(self) -> Path:
        """Where the records are."""
        return self.directory / "advisories"

    def command(self) -> list[str]:
        """As every server, with the source."""
        source = f"name=test,kind=osv,location={self.advisories},licence=CC0-1.0"
        return [*super().command(), "--advisory-source", source]

    def publish(self, *records: dict[str, Any]) -> None:
        """Puts records into the directory, and has the server read it."""
        self.advisories.mkdir(exist_ok=True)
        for record in records:
            (self.advisories / f"{record['id']}.json").write_text(json.dumps(record))
        run(self.binary, "advisories", "sync", "--data-dir", self.data)


@pytest.fixture
def scanning(binary: Any, tmp_path: Any) -> Iterator[ScanningServer]:
    """A server of the test's own, since scanning is configured for the whole registry."""
    running = ScanningServer(binary, tmp_path / "server")
    running.advisories.mkdir(parents=True)
    running.start()
    running.publish(*ADVISORIES)
    yield running
    running.close()


def layer(files: dict[str, bytes]) -> bytes:
    """A gzipped archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def push(server: Server, ecr: Any, name: str, tag: str, *layers: bytes) -> str:
    """Pushes an image of these layers; its digest."""
    registry: Registry = aws.registry(server, ecr)
    config = json.dumps({"architecture": "amd64", "os": "linux", "comment": tag}).encode()
    for content in (config, *layers):
        registry.push_blob(name, content).expect(201)

    def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(config, CONFIG_TYPE),
            "layers": [descriptor(content, f"{LAYER_TYPE}+gzip") for content in layers],
        }
    ).encode()
    registry.push_manifest(name, tag, manifest).expect(201)
    return digest_of(manifest)


def wait_for(ecr: Any, name: str, tag: str, *statuses: str) -> dict[str, Any]:
    """The findings, once the scan has one of these statuses."""
    found: dict[str, Any] = {}

    def is_there() -> bool:
        found.update(ecr.describe_image_scan_findings(repositoryName=name, imageId={"imageTag": tag}))
        return found["imageScanStatus"]["status"] in statuses

    wait_until(is_there, PATIENCE, f"the scan of {tag} is {statuses}")
    return found


def test_a_basic_scan_on_request(scanning: ScanningServer) -> None:
    ecr = aws.client(scanning)
    ecr.create_repository(repositoryName="app")
    digest = push(scanning, ecr, "app", "v1", layer(DEBIAN_FILES), layer(NPM_FILES))
    image = {"repositoryName": "app", "imageId": {"imageTag": "v1"}}
    assert failure(ecr.describe_image_scan_findings, **image).code == "ScanNotFoundException"
    started = ecr.start_image_scan(**image)
    assert started["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert started["imageScanStatus"]["status"] == "IN_PROGRESS"
    ecr.get_waiter("image_scan_complete").wait(**image, WaiterConfig={"Delay": 1, "MaxAttempts": PATIENCE})
    told = ecr.describe_image_scan_findings(**image)
    assert told["imageScanStatus"]["description"] == "The scan was completed successfully."
    findings = told["imageScanFindings"]
    assert findings["findingSeverityCounts"] == {"HIGH": 1}
    assert "vulnerabilitySourceUpdatedAt" in findings and "imageScanCompletedAt" in findings
    [finding] = findings["findings"]
    assert (finding["name"], finding["severity"]) == ("CVE-2026-0001", "HIGH")
    assert finding["uri"] == "https://security-tracker.debian.org/tracker/CVE-2026-0001"
    attributes = {attribute["key"]: attribute["value"] for attribute in finding["attributes"]}
    assert attributes == {"package_name": "openssl", "package_version": "3.0.9-1"}
    assert failure(ecr.start_image_scan, **image).code == "LimitExceededException"
    # As in ECR, images tell nothing of basic scans.
    assert "imageScanStatus" not in ecr.describe_images(repositoryName="app")["imageDetails"][0]


def test_scans_of_pushes(scanning: ScanningServer) -> None:
    ecr = aws.client(scanning)
    ecr.create_repository(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    push(scanning, ecr, "app", "whole", layer(DEBIAN_FILES))
    wait_for(ecr, "app", "whole", "COMPLETE")
    # What cannot be read is told, and pulled like everything else.
    whole = layer(DEBIAN_FILES)
    broken = {"cut": whole[: len(whole) // 2], "noise": bytes(range(256)) * 9, "empty": layer({})}
    for tag, content in broken.items():
        push(scanning, ecr, "app", tag, content)
        status = wait_for(ecr, "app", tag, "FAILED")["imageScanStatus"]
        assert status["description"], tag
        with pytest.raises(WaiterError):
            ecr.get_waiter("image_scan_complete").wait(
                repositoryName="app", imageId={"imageTag": tag}, WaiterConfig={"Delay": 1, "MaxAttempts": 2}
            )
        got = aws.registry(scanning, ecr).get_blob("app", digest_of(content))
        assert got.body == content


def test_enhanced_scans_follow_the_advisories(scanning: ScanningServer) -> None:
    ecr = aws.client(scanning)
    ecr.create_repository(repositoryName="app")
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    base = layer(DEBIAN_FILES)
    digest = push(scanning, ecr, "app", "v1", base, layer(NPM_FILES))
    told = wait_for(ecr, "app", "v1", "ACTIVE")
    assert told["imageScanStatus"]["description"] == "Continuous scan is selected for image."
    findings = told["imageScanFindings"]
    assert findings["findingSeverityCounts"] == {"HIGH": 1, "CRITICAL": 1}
    assert "findings" not in findings
    first, second = findings["enhancedFindings"]
    assert (first["title"], first["severity"], first["score"]) == ("CVE-2026-0003 - left-pad", "CRITICAL", 9.8)
    assert first["fixAvailable"] == "YES" and first["status"] == "ACTIVE"
    [package] = first["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert package["packageManager"] == "NODEPKG" and package["fixedInVersion"] == "1.3.1"
    [package] = second["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert (package["name"], package["epoch"], package["version"], package["release"]) == ("libssl3", 0, "3.0.9", "1")
    assert package["sourceLayerHash"] == digest_of(base)
    [resource] = second["resources"]
    assert resource["id"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app/{digest}"
    assert resource["details"]["awsEcrContainerImage"]["platform"] == "DEBIAN_12"
    [detail] = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert detail["imageScanStatus"]["status"] == "ACTIVE"
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"HIGH": 1, "CRITICAL": 1}
    image = {"repositoryName": "app", "imageId": {"imageTag": "v1"}}
    with pytest.raises(ClientError, match="This feature is disabled"):
        ecr.start_image_scan(**image)

    scanning.publish(osv("DEBIAN-CVE-2026-0009", "CVE-2026-0009", "Debian:12", "bash", "5.2.15-3"))

    def is_found() -> bool:
        paginator = ecr.get_paginator("describe_image_scan_findings")
        pages = paginator.paginate(**image, PaginationConfig={"PageSize": 1})
        names = [found["title"] for page in pages for found in page["imageScanFindings"]["enhancedFindings"]]
        return "CVE-2026-0009 - bash" in names and len(names) == 3

    wait_until(is_found, 90, "the new advisory is a finding")
    check_matches(scanning, ecr)


def test_a_followed_sync_survives_sigkill(scanning: ScanningServer, seed: int) -> None:
    """The server is killed while images follow new advisories; the next one leaves none of them behind."""
    images = 120
    ecr, inspector = aws.client(scanning), aws.client(scanning, "inspector2")
    ecr.create_repository(repositoryName="app")
    rule = {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    push(scanning, ecr, "app", "v0", layer(DEBIAN_FILES))
    [first] = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v0"}])["images"]
    registry: Registry = aws.registry(scanning, ecr)
    for number in range(1, images):
        manifest = json.loads(first["imageManifest"]) | {"annotations": {"number": str(number)}}
        registry.push_manifest("app", f"v{number}", json.dumps(manifest).encode()).expect(201)

    def affected(cve: str) -> list[str]:
        pages = inspector.get_paginator("list_findings").paginate(
            filterCriteria={"vulnerabilityId": [{"comparison": "EQUALS", "value": cve}]}
        )
        return [found["resources"][0]["id"] for page in pages for found in page["findings"]]

    wait_until(lambda: len(affected("CVE-2026-0001")) == images, PATIENCE, "all images are scanned")
    chance = random.Random(seed)
    for point in range(3):
        cve = f"CVE-2026-{1000 + point}"
        scanning.publish(osv(f"DEBIAN-{cve}", cve, "Debian:12", "bash", "5.2.15-3"))
        threading.Event().wait(chance.random() * 0.3)
        scanning.kill()
        scanning.start()
        wait_until(lambda cve=cve: len(affected(cve)) == images, PATIENCE, f"seed {seed}: {cve} is found everywhere")
        # One finding of each image.
        assert len(set(affected(cve))) == images
    dead = run(scanning.binary, "jobs", "list", "--state", "dead", "--data-dir", scanning.data).stdout
    assert "rematch-packages" not in dead


REAL_ADVISORIES = Path(__file__).parents[2] / "crates/scanner/tests/data/advisories/PyPI"


def is_affected(affected: dict[str, Any], version: str, before: Callable[[str, str], bool]) -> bool:
    """The rule of the OSV schema, word for word: a version that is listed, or in a range by its events in order."""
    if version in affected.get("versions", []):
        return True
    for kind in affected.get("ranges", []):
        if kind["type"] != "ECOSYSTEM":
            continue
        vulnerable = False
        for event in kind["events"]:
            introduced, fixed = event.get("introduced"), event.get("fixed")
            if introduced is not None and (introduced == "0" or not before(version, introduced)):
                vulnerable = True
            if fixed is not None and not before(version, fixed):
                vulnerable = False
            if "last_affected" in event and before(event["last_affected"], version):
                vulnerable = False
        if vulnerable:
            return True
    return False


def dpkg_before(left: str, right: str) -> bool:
    """Debian's own order."""
    return subprocess.run(["dpkg", "--compare-versions", left, "lt", right], check=False).returncode == 0


def python_before(left: str, right: str) -> bool:
    """The order of the Python packaging authority's own library."""
    return Version(left) < Version(right)


def installed_here() -> dict[str, tuple[str, str, str]]:
    """A real list of packages, this machine's: source, its version and the package's own, by name."""
    form = "${Package}\t${source:Package}\t${source:Version}\t${Version}\n"
    listed = subprocess.run(["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True).stdout
    lines = [line.split("\t") for line in listed.splitlines()]
    return {name: (source, source_version, version) for name, source, source_version, version in lines}


def neighbours(version: str) -> list[str]:
    """The version, and some close to it on both sides."""
    upstream = re.sub(r"\d+", lambda number: str(int(number[0]) + 1), version.partition(":")[2] or version, count=1)
    return [version, f"{version}~rc1", f"{version}+b1", f"{version}.1", upstream, "0~", f"1:{upstream}", f"99:{version}"]


def check_matches(server: ScanningServer, ecr: Any) -> None:
    """What is found in real packages is what a naive reading of the advisories finds, with the versions compared by
    Debian's and Python's own tools."""
    chance = random.Random(7)
    packages = dict(chance.sample(sorted(installed_here().items()), 60))
    sources = sorted({source for source, _, _ in packages.values()})
    records, number = [], 0
    for source in sources:
        version = next(version for name, version, _ in packages.values() if name == source)
        for bound in chance.sample(neighbours(version), 3):
            number += 1
            identifier = f"CVE-2025-{number:04}"
            record = osv(f"DEBIAN-{identifier}", identifier, "Debian:12", source, bound)
            if chance.random() < 0.4:
                record["affected"][0]["ranges"][0]["events"][0]["introduced"] = chance.choice(neighbours(version))
            records.append(record)
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nSource: {source} ({source_version})\nArchitecture: amd64\n"
        f"Version: {version}\n\n"
        for name, (source, source_version, version) in packages.items()
    )
    files = {"etc/os-release": BOOKWORM, "var/lib/dpkg/status": status.encode()}
    expected = set()
    for record in records:
        [affected] = record["affected"]
        low, high = (list(event.values())[0] for event in affected["ranges"][0]["events"])
        if low != "0" and not dpkg_before(low, high):
            # No order of events is one of versions; nobody publishes that.
            affected["ranges"][0]["events"][0]["introduced"] = "0"
        for name, (source, version, _) in packages.items():
            if source == affected["package"]["name"] and is_affected(affected, version, dpkg_before):
                expected.add((record["aliases"][0], name))
    real = [json.loads(path.read_text()) for path in sorted(REAL_ADVISORIES.glob("*.json"))]
    claims = [(record, affected) for record in real for affected in record["affected"]]
    installed = set()
    for record, affected in claims:
        ranges = [it for it in affected.get("ranges", []) if it["type"] == "ECOSYSTEM"]
        bounds = {bound for it in ranges for event in it["events"] for bound in event.values()} - {"0"}
        plain = {bound for bound in bounds if re.fullmatch(r"[\d.]+", bound)}
        bounds |= {f"{bound}{suffix}" for bound in plain for suffix in (".post1", ".dev1", "rc1", ".1")}
        listed = affected.get("versions", [])
        bounds |= set(chance.sample(listed, min(5, len(listed))))
        installed |= {(canonicalize_name(affected["package"]["name"]), version) for version in bounds}
    for name, version in sorted(installed):
        where = f"opt/{name}-{version}/{name}-{version}.dist-info/METADATA"
        files[where] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n".encode()
        for record, affected in claims:
            if canonicalize_name(affected["package"]["name"]) == name and is_affected(affected, version, python_before):
                cves = [alias for alias in record.get("aliases", []) if alias.startswith("CVE-")]
                expected |= {(cve, f"{name} {version}") for cve in cves or [record["id"]]}
    records += real
    server.publish(*records)
    push(server, ecr, "app", "real", layer(files))
    wait_for(ecr, "app", "real", "ACTIVE")
    found = set()
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        repositoryName="app", imageId={"imageTag": "real"}
    )
    for page in pages:
        for finding in page["imageScanFindings"].get("enhancedFindings", []):
            details = finding["packageVulnerabilityDetails"]
            for package in details["vulnerablePackages"]:
                is_python = package["packageManager"] == "PYTHONPKG"
                name = f"{canonicalize_name(package['name'])} {package['version']}" if is_python else package["name"]
                found.add((details["vulnerabilityId"], name))
    # Of all Debian packages that are there by chance, some have records of this test's own.
    found = {(cve, name) for cve, name in found if not cve.startswith("CVE-2026-")}
    assert found == expected
    assert len(expected) > 40


def referrers(registry: Registry, name: str, digest: str, query: str = "") -> list[dict[str, Any]]:
    """What refers to an image, as the referrers API tells it."""
    answer = registry.send("GET", f"/v2/{name}/referrers/{digest}{query}").expect(200)
    return answer.json()["manifests"]


def test_images_by_package_and_bills_beside_them(scanning: ScanningServer) -> None:
    ecr = aws.client(scanning)
    registry = aws.registry(scanning, ecr)
    here = ("--data-dir", scanning.data)

    def tonnage(*arguments: str) -> str:
        return run(scanning.binary, "images", *arguments, *here).stdout

    def found(*arguments: str) -> list[tuple[str, list[str], str]]:
        lines = tonnage("find", "--json", *arguments).splitlines()
        images = [json.loads(line) for line in lines]
        return [(image["repository"], image["tags"], image["packages"][0]["version"]) for image in images]

    rule = {"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=[rule])
    assert "No bills" in tonnage("sbom-on-push")
    assert "cyclonedx-1.6 (prod/*)" in tonnage("sbom-on-push", "--format", "cyclonedx-1.6", "--repository", "prod/*")
    for name in ("prod/web", "test/web"):
        ecr.create_repository(repositoryName=name)
    digest = push(scanning, ecr, "prod/web", "v1", layer(DEBIAN_FILES), layer(NPM_FILES))
    other = push(scanning, ecr, "test/web", "v2", layer(DEBIAN_FILES))
    for name, tag in (("prod/web", "v1"), ("test/web", "v2")):
        wait_for(ecr, name, tag, "COMPLETE")

    assert found("--package", "openssl", "--below", "3.0.15") == [
        ("test/web", ["v2"], "3.0.9-1"),
        ("prod/web", ["v1"], "3.0.9-1"),
    ]
    assert found("--package", "openssl", "--below", "3.0.9") == []
    assert found("--package", "left-pad", "--ecosystem", "npm") == [("prod/web", ["v1"], "1.3.0")]
    assert found("--package", "openssl", "--pulled-since", "7d") == []
    registry.get_manifest("prod/web", "v1").expect(200)
    wait_until(
        lambda: found("--package", "openssl", "--pulled-since", "7d") == [("prod/web", ["v1"], "3.0.9-1")],
        PATIENCE,
        "the pull is recorded",
    )
    assert "prod/web@sha256:" in tonnage("find", "--package", "openssl", "--tag", "v1")
    refused = run(scanning.binary, "images", "find", "--package", "x", "--ecosystem", "deb", *here, status=-1)
    assert "is no ecosystem" in refused.stderr

    wait_until(lambda: referrers(registry, "prod/web", digest), PATIENCE, "the bill is attached")
    [referrer] = referrers(registry, "prod/web", digest, "?artifactType=application/vnd.cyclonedx%2Bjson")
    manifest = registry.get_manifest("prod/web", referrer["digest"]).expect(200).json()
    assert manifest["artifactType"] == referrer["artifactType"] == "application/vnd.cyclonedx+json"
    assert manifest["subject"]["digest"] == digest
    [blob] = manifest["layers"]
    bill = json.loads(registry.get_blob("prod/web", blob["digest"]).expect(200).body)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {"libssl3", "bash", "left-pad"} <= {component["name"] for component in bill["components"]}
    assert json.loads(tonnage("sbom", "prod/web", "v1")) == bill
    assert "is attached already" in tonnage("sbom", "prod/web", "v1", "--attach")

    assert referrers(registry, "test/web", other) == []
    assert "was attached" in tonnage("sbom", "test/web", "v2", "--format", "spdx-2.3", "--attach")
    [referrer] = referrers(registry, "test/web", other)
    assert referrer["artifactType"] == "application/spdx+json"
    assert "No bills" in tonnage("sbom-on-push", "--off")
