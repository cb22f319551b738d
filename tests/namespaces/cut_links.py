"""Pushes to two regions that copy to each other, and cuts the link between them again and again.

Goal: what either region acknowledged arrives in the other one, once the link is there again, and tags name
the newest image. Method: each region is a process in a network namespace; one pair of virtual devices joins
them, and is set down and up while both are pushed to. Requests of this program go by devices of their own,
which are never cut.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import botocore.config
from harness.http import Registry, Response, digest_of, small_image
from harness.server import ACCOUNT, REGION, ROOT_KEY_ID, ROOT_SECRET
from harness.tools import tail, wait_until

WEST = "eu-west-1"
PORT = 8443
REPOSITORIES = 2
# Longer than what connections wait for before they give up, and than the first pauses between two tries.
DOWN_SECONDS = 8
UP_SECONDS = 4
PATIENCE = 600


def ip(*words: str) -> None:
    """`ip WORDS`."""
    subprocess.run(["ip", *words], check=True, timeout=30)


class Secure(Registry):
    """The /v2/ side over TLS."""

    context: ssl.SSLContext

    def send(self, method: str, target: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Response:
        connection = http.client.HTTPSConnection(self.host, timeout=60, context=self.context)
        try:
            sent = {"Authorization": self.authorization or "", **(headers or {})}
            connection.request(method, target, body=body, headers=sent)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


class Region:
    """A region as a process in a namespace of its own."""

    def __init__(self, number: int, name: str, binary: Path, directory: Path) -> None:
        self.name, self.binary, self.directory = name, binary, directory
        self.namespace = f"tonnage-{os.getpid()}-{number}"
        self.device, self.outside = f"tn{os.getpid() % 100000}l{number}", f"tn{os.getpid() % 100000}m{number}"
        # Of documentation and benchmarks; no network of anybody has them.
        self.link_address, self.address = f"198.18.0.{number}", f"198.18.{number}.2"
        self.outside_address = f"198.18.{number}.1"
        self.log = directory / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir()

    def connect(self) -> None:
        """Makes the namespace, and the devices by which this program reaches it."""
        ip("netns", "add", self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        ip("link", "add", self.outside, "type", "veth", "peer", "name", "inside", "netns", self.namespace)
        ip("address", "add", f"{self.outside_address}/24", "dev", self.outside)
        ip("link", "set", self.outside, "up")
        ip("-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "inside")
        ip("-n", self.namespace, "link", "set", "inside", "up")

    def start(self, certificate: Path, key: Path, peer: Region) -> None:
        """Starts the process and waits until it is ready."""
        words = [
            *("ip", "netns", "exec", self.namespace, str(self.binary), "serve"),
            *("--data-dir", str(self.directory / "data"), "--account", ACCOUNT, "--region", self.name),
            *("--listen", f"{self.link_address}:{PORT}", "--listen", f"{self.address}:{PORT}"),
            *("--public-listen", "127.0.0.1:8444"),
            *("--tls-certificate-file", str(certificate), "--tls-key-file", str(key)),
            *("--outbound-network", "198.18.0.0/24", "--outbound-authorities-file", str(certificate)),
            *("--replication-peer", f"{peer.name}=https://{peer.link_address}:{PORT}"),
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "TONNAGE_ROOT_ACCESS_KEY_ID": ROOT_KEY_ID,
            "TONNAGE_ROOT_SECRET_ACCESS_KEY": ROOT_SECRET,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.certificate = certificate
        self.context = ssl.create_default_context(cafile=str(certificate))
        wait_until(self.is_ready, 60, f"{self.name} is ready:\n{tail(self.log)}")

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            connection = http.client.HTTPSConnection(self.address, PORT, timeout=5, context=self.context)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def client(self, service: str = "ecr") -> Any:
        """A boto3 client."""
        config = botocore.config.Config(retries={"total_max_attempts": 1}, proxies={})
        return boto3.session.Session().client(
            service,
            endpoint_url=f"https://{self.address}:{PORT}",
            region_name=self.name,
            aws_access_key_id=ROOT_KEY_ID,
            aws_secret_access_key=ROOT_SECRET,
            verify=str(self.certificate),
            config=config,
        )

    def registry(self) -> Secure:
        """docker's protocol, logged in."""
        from harness.aws import registry_password

        registry = Secure(f"{self.address}:{PORT}", registry_password(self.client()))
        registry.context = self.context
        return registry

    def images(self, name: str) -> dict[str, list[str]]:
        """Digests and tags; nothing where the repository is not there."""
        ecr = self.client()
        try:
            pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
            details = [detail for page in pages for detail in page["imageDetails"]]
        except ecr.exceptions.RepositoryNotFoundException:
            return {}
        return {detail["imageDigest"]: sorted(detail.get("imageTags", [])) for detail in details}

    def end(self) -> None:
        """Ends the process, and removes the namespace with its devices."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, stderr=subprocess.DEVNULL)


def join(east: Region, west: Region) -> None:
    """The link that is cut."""
    names = (east.device, west.device)
    ip("link", "add", names[0], "netns", east.namespace, "type", "veth", "peer", "name", names[1], "netns", west.namespace)
    for region in (east, west):
        ip("-n", region.namespace, "address", "add", f"{region.link_address}/24", "dev", region.device)
        ip("-n", region.namespace, "link", "set", region.device, "up")


def let_in(here: Region, there: Region) -> None:
    """Gives one region a key of the other, and lets it copy everything."""
    iam, user = there.client("iam"), f"from-{here.name}"
    iam.create_user(UserName=user, Path="/replication/")
    statement = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="replication", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    value = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    secrets = here.client("secretsmanager")
    secrets.create_secret(Name=f"ecr-replication/{there.name}", SecretString=json.dumps(value))
    rule = {"destinations": [{"region": there.name, "registryId": ACCOUNT}]}
    here.client().put_replication_configuration(replicationConfiguration={"rules": [rule]})


class Pusher(threading.Thread):
    """Pushes to one repository of one region until it is told to stop."""

    def __init__(self, region: Region, name: str, stop: threading.Event) -> None:
        super().__init__()
        self.region, self.repository, self.stopping = region, name, stop
        self.pushed: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            registry = self.region.registry()
            while not self.stopping.is_set():
                image = small_image(f"{self.repository} {len(self.pushed)}", 2, 150_000)
                for blob in image.blobs:
                    registry.push_blob(self.repository, blob).expect(201)
                for tag in ("latest", f"v{len(self.pushed)}"):
                    registry.push_manifest(self.repository, tag, image.manifest).expect(201)
                self.pushed.append(image.digest)
                self.stopping.wait(0.2)
        except BaseException as error:  # noqa: BLE001
            self.failure = error


def check(pusher: Pusher, there: Region) -> None:
    """The other region has what was acknowledged, whole."""
    here, name = pusher.region, pusher.repository
    wait_until(lambda: there.images(name) == here.images(name), PATIENCE, f"{name} is the same\n{tail(here.log)}")
    found = there.images(name)
    assert set(found) == set(pusher.pushed), name
    assert "latest" in found[pusher.pushed[-1]], f"{name}: latest went back"
    registry = there.registry()
    for digest in found:
        manifest = registry.get_manifest(name, digest).expect(200)
        assert digest_of(manifest.body) == digest
        document = manifest.json()
        for blob in (document["config"], *document["layers"]):
            assert digest_of(registry.get_blob(name, blob["digest"]).expect(200).body) == blob["digest"]


def make_certificate(directory: Path, addresses: list[str]) -> tuple[Path, Path]:
    """A certificate for the addresses that signs itself, and its key."""
    certificate, key = directory / "server.crt", directory / "server.key"
    names = ",".join(f"IP:{address}" for address in addresses)
    # fmt: off
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=tonnage test", "-addext", f"subjectAltName={names}",
                    "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(key), "-out", str(certificate)],
                   check=True, capture_output=True)
    # fmt: on
    key.chmod(0o600)
    return certificate, key


def main(binary: Path, rounds: int) -> None:
    """Runs it all."""
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        east = Region(1, REGION, binary, directory / "east")
        west = Region(2, WEST, binary, directory / "west")
        stop, pushers = threading.Event(), []
        try:
            east.connect()
            west.connect()
            join(east, west)
            addresses = [address for it in (east, west) for address in (it.address, it.link_address)]
            certificate, key = make_certificate(directory, addresses)
            east.start(certificate, key, west)
            west.start(certificate, key, east)
            let_in(east, west)
            let_in(west, east)
            for region in (east, west):
                for number in range(REPOSITORIES):
                    name = f"{region.name}/app-{number}"
                    region.client().create_repository(repositoryName=name)
                    pushers.append(Pusher(region, name, stop))
            for pusher in pushers:
                pusher.start()
            for number in range(rounds):
                time.sleep(UP_SECONDS)
                # One end, then the other: packets are lost without an answer either way.
                cut = (east, west)[number % 2]
                ip("-n", cut.namespace, "link", "set", cut.device, "down")
                time.sleep(DOWN_SECONDS)
                ip("-n", cut.namespace, "link", "set", cut.device, "up")
            time.sleep(UP_SECONDS)
            stop.set()
            for pusher in pushers:
                pusher.join()
                assert pusher.failure is None, pusher.failure
            for pusher in pushers:
                check(pusher, west if pusher.region is east else east)
            for region in (east, west):
                assert "panicked at" not in region.log.read_text(errors="replace"), tail(region.log)
            pushed = sum(len(pusher.pushed) for pusher in pushers)
            print(f"{rounds} cuts, {pushed} images pushed, all of them in both regions")
        finally:
            stop.set()
            for pusher in pushers:
                if pusher.ident is not None:
                    pusher.join()
            east.end()
            west.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
