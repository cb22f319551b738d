"""Pulls through the cache: Debian's docker-registry and another tonnage as upstreams, real clients in front."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import aws
from harness.between import Between
from harness.engine import Containers, Docker
from harness.http import INDEX_TYPE, Registry, SmallImage, digest_of, image_index, small_image
from harness.server import Server, free_port
from harness.tools import tail, wait_until

PATIENCE = 60
USER, PASSWORD = "puller", "correct horse battery staple"
MIB = 1024 * 1024


class Distribution:
    """A docker-registry, with or without a password; `start` and `stop` may be repeated over the same data."""

    def __init__(self, directory: Path, *, password: bool = False) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.log = directory / "registry.log"
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        config = {
            "version": "0.1",
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(directory / "data")}},
            "http": {"addr": self.host},
        }
        if password:
            (directory / "htpasswd").write_text(f"{USER}:{bcrypt(PASSWORD)}\n")
            config["auth"] = {"htpasswd": {"realm": "upstream", "path": str(directory / "htpasswd")}}
        # JSON is YAML.
        (directory / "config.yml").write_text(json.dumps(config))

    def start(self) -> Distribution:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/docker-registry", "serve", str(self.directory / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self.answers, PATIENCE, f"docker-registry answers:\n{tail(self.log)}")
        return self

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self, *, on: bool) -> None:
        """Keeps the process from doing anything, or lets it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def requests(self, text: str) -> int:
        """How often a part of a request is in the log of answers."""
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(1 for line in lines if "response completed" not in line and "HTTP/1.1" in line and text in line)

    def client(self, *, password: bool = False) -> Registry:
        return Registry(self.host, PASSWORD if password else None, user=USER)


def bcrypt(password: str) -> str:
    """A line of htpasswd, by the system's own crypt."""
    import crypt

    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**6))


class Cache(Server):
    """A server that may ask upstreams on the loopback address."""

    upstreams: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def command(self) -> list[str]:
        words = super().command() + ["--outbound-network", "127.0.0.0/8", *self.settings]
        for host in self.upstreams:
            words += ["--upstream-registry", f"{host}=http://{host}"]
        return words


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Distribution]:
    running = Distribution(tmp_path / "upstream").start()
    yield running
    running.stop()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Distribution]:
    running = Distribution(tmp_path / "locked", password=True).start()
    yield running
    running.stop()


def caching(binary: Path, directory: Path, *upstreams: str, settings: tuple[str, ...] = ()) -> Cache:
    cache = Cache(binary, directory)
    cache.upstreams, cache.settings = upstreams, settings
    return cache.start()


@pytest.fixture
def cache(binary: Path, tmp_path: Path, upstream: Distribution) -> Iterator[Cache]:
    """A server with a rule for the upstream."""
    running = caching(binary, tmp_path / "cache", upstream.host)
    rule(running, "hub", upstream.host)
    yield running
    running.close()


def rule(server: Server, prefix: str, url: str, **more: Any) -> None:
    ecr = aws.client(server)
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)


def reader(server: Server) -> Registry:
    return aws.registry(server, aws.client(server))


def whole(client: Registry, name: str, image: SmallImage) -> None:
    for blob in image.blobs:
        answer = client.get_blob(name, digest_of(blob)).expect(200)
        assert answer.body == blob and int(answer.headers["Content-Length"]) == len(blob)


def push(client: Registry, name: str, image: SmallImage, *references: str) -> None:
    for blob in image.blobs:
        client.push_blob(name, blob).expect(201)
    for reference in references or (image.digest,):
        client.push_manifest(name, reference, image.manifest).expect(201)


def test_images_come_by_tag_and_by_digest(cache: Cache, upstream: Distribution) -> None:
    tagged, bare = small_image("tagged", 3, 200_000), small_image("bare", 2, 3 * MIB)
    push(upstream.client(), "team/app", tagged, "v1")
    push(upstream.client(), "team/app", bare)
    client = reader(cache)
    pulled = client.get_manifest("hub/team/app", "v1").expect(200)
    assert pulled.body == tagged.manifest and pulled.headers["Docker-Content-Digest"] == tagged.digest
    assert "Warning" not in pulled.headers and "Location" not in pulled.headers
    whole(client, "hub/team/app", tagged)
    assert client.get_manifest("hub/team/app", bare.digest).expect(200).body == bare.manifest
    whole(client, "hub/team/app", bare)
    client.get_manifest("hub/team/app", "none").expect_error(404, "MANIFEST_UNKNOWN")
    client.get_manifest("hub/team/none", "v1").expect_error(404, "NAME_UNKNOWN")
    # Everything is here: the upstream is not needed any more.
    upstream.stop()
    for image in (tagged, bare):
        client.get_manifest("hub/team/app", image.digest).expect(200)
        whole(client, "hub/team/app", image)
    details = aws.client(cache).describe_images(repositoryName="hub/team/app")["imageDetails"]
    assert {detail["imageDigest"]: detail["imageSizeInBytes"] for detail in details} == {
        image.digest: sum(map(len, image.blobs)) for image in (tagged, bare)
    }


def test_an_index_comes_whole_without_being_asked_for(cache: Cache, upstream: Distribution) -> None:
    children = [small_image(f"child {number}", 2, 300_000) for number in range(3)]
    for child in children:
        push(upstream.client(), "multi/app", child)
    index = image_index(*children)
    upstream.client().push_manifest("multi/app", "latest", index, INDEX_TYPE).expect(201)
    client = reader(cache)
    assert client.get_manifest("hub/multi/app", "latest").expect(200).body == index
    ecr = aws.client(cache)
    digests = [digest_of(blob) for child in children for blob in child.blobs]

    def there() -> bool:
        layers = ecr.batch_check_layer_availability(repositoryName="hub/multi/app", layerDigests=digests)["layers"]
        return all(layer["layerAvailability"] == "AVAILABLE" for layer in layers)

    wait_until(there, PATIENCE, "every image of the index is there")
    upstream.stop()
    for child in children:
        assert client.get_manifest("hub/multi/app", child.digest).expect(200).body == child.manifest
        whole(client, "hub/multi/app", child)


def test_an_upstream_is_asked_when_the_operator_wants_it(cache: Cache, upstream: Distribution) -> None:
    first, second = small_image("first", 1, 1_000), small_image("second", 1, 1_000)
    push(upstream.client(), "fresh/app", first, "v1", "v2")
    client = reader(cache)
    for tag in ("v1", "v2"):
        client.get_manifest("hub/fresh/app", tag).expect(200)
    push(upstream.client(), "fresh/app", second, "v1")
    assert client.get_manifest("hub/fresh/app", "v1").expect(200).body == first.manifest
    words = ("pull-through", "refresh", "hub/fresh/app", "--data-dir", str(cache.data))
    assert cache.subcommand(*words).stdout.splitlines() == [
        f"v1  {second.digest}  new",
        f"v2  {first.digest}  unchanged",
    ]
    assert client.get_manifest("hub/fresh/app", "v1").expect(200).body == second.manifest
    upstream.stop()
    told = cache.subcommand(*words, "--tag", "v1", status=1).stdout
    assert told.startswith(f"v1  {second.digest}  failed: "), told
    assert client.get_manifest("hub/fresh/app", "v1").expect(200).body == second.manifest


def test_ctr_pulls_through(binary: Path, tmp_path: Path, upstream: Distribution, docker: Docker) -> None:
    """containerd's own client, by the name of the cache and by that of the upstream with the cache as its mirror."""
    image = small_image("ctr", 2, 300_000)
    push(upstream.client(), "library/ctr", image, "v1", "v2")
    cache = caching(binary, tmp_path / "cache", upstream.host)
    try:
        rule(cache, "hub", upstream.host)
        password = aws.registry_password(aws.client(cache))
        user = ("--plain-http", "--user", f"AWS:{password}")
        docker.ctr("content", "fetch", *user, f"{cache.host}/hub/library/ctr:v1")
        # Nothing else may serve it.
        for digest in (image.digest, *(digest_of(blob) for blob in image.blobs)):
            docker.ctr("content", "rm", digest)
        certs = tmp_path / "certs" / upstream.host
        certs.mkdir(parents=True)
        authorization = reader(cache).authorization
        (certs / "hosts.toml").write_text(
            f'[host."{cache.url}"]\n'
            'capabilities = ["pull", "resolve"]\n'
            f'[host."{cache.url}".header]\n'
            f'authorization = "{authorization}"\n'
        )
        manifests = upstream.requests("/v2/library/ctr/manifests/")
        name = f"{upstream.host}/library/ctr:v1"
        docker.ctr("content", "fetch", "--hosts-dir", str(tmp_path / "certs"), name)
        assert upstream.requests("/v2/library/ctr/manifests/") == manifests, "the upstream itself was asked"
        listed = docker.ctr("content", "ls", "-q").stdout.split()
        assert {image.digest, *(digest_of(blob) for blob in image.blobs)} <= set(listed)
    finally:
        cache.close()


def test_many_clients_and_one_fetch(binary: Path, tmp_path: Path, upstream: Distribution) -> None:
    settings = ("--pull-through-whole-images=false",)
    cache = caching(binary, tmp_path / "lazy", upstream.host, settings=settings)
    try:
        rule(cache, "hub", upstream.host)
        image = small_image("large", 1, 30 * MIB)
        push(upstream.client(), "big/app", image, "v1")
        client = reader(cache)
        layer = image.blobs[-1]
        client.get_manifest("hub/big/app", "v1").expect(200)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda _: client.get_blob("hub/big/app", digest_of(layer)).expect(200).body, range(8)))
        assert all(body == layer for body in bodies)
        text = f"GET /v2/big/app/blobs/{digest_of(layer)}"
        assert upstream.requests(text) <= 1, tail(upstream.log)
        # A range of what is there now.
        part = client.get_blob("hub/big/app", digest_of(layer), Range="bytes=1000-1999").expect(206)
        assert part.body == layer[1000:2000]
    finally:
        cache.close()


def first_bytes(cache: Cache, name: str, digest: str, length: int) -> tuple[http.client.HTTPConnection, Any, bytes]:
    """Begins to read a layer; the rest is for later."""
    client = reader(cache)
    connection = http.client.HTTPConnection(cache.host, timeout=PATIENCE)
    connection.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Authorization": client.authorization or ""})
    answer = connection.getresponse()
    assert answer.status == 200
    return connection, answer, answer.read(length)


def test_an_upstream_that_stops_in_the_middle(cache: Cache, upstream: Distribution) -> None:
    """The client's connection breaks, nothing wrong is kept, and the next pull of the rest succeeds."""
    image = small_image("broken", 1, 200 * MIB)
    push(upstream.client(), "slow/app", image, "v1")
    reader(cache).get_manifest("hub/slow/app", "v1").expect(200)
    layer = image.blobs[-1]
    connection, answer, begun = first_bytes(cache, "hub/slow/app", digest_of(layer), MIB)
    assert begun == layer[:MIB]
    upstream.stop()
    try:
        rest = answer.read()
        complete = len(rest) == len(layer) - MIB
    except (http.client.IncompleteRead, ConnectionError):
        complete = False
    connection.close()
    client = reader(cache)
    if not complete:
        client.get_blob("hub/slow/app", digest_of(layer)).expect(502, 503)
    # The image itself stays, and goes on once the upstream is back.
    assert client.get_manifest("hub/slow/app", "v1").expect(200).body == image.manifest
    upstream.start()
    wait_until(
        lambda: client.get_blob("hub/slow/app", digest_of(layer)).status == 200, PATIENCE, "the layer comes in the end"
    )
    assert client.get_blob("hub/slow/app", digest_of(layer)).expect(200).body == layer


@pytest.fixture
def between(upstream: Distribution) -> Iterator[Between]:
    running = Between(upstream.host)
    yield running
    running.close()


def test_a_slow_upstream_holds_up_nobody_who_has_begun(
    binary: Path, tmp_path: Path, upstream: Distribution, between: Between
) -> None:
    """A client gets what has come while the rest is on its way, and everything in the end."""
    image = small_image("slow", 1, 8 * MIB)
    push(upstream.client(), "slow/app", image, "v1")
    cache = caching(binary, tmp_path / "slow", between.host)
    try:
        rule(cache, "hub", between.host)
        between.bytes_per_second = 4 * MIB
        reader(cache).get_manifest("hub/slow/app", "v1").expect(200)
        layer = image.blobs[-1]
        connection, answer, begun = first_bytes(cache, "hub/slow/app", digest_of(layer), 64 * 1024)
        assert sum(between.passed.get(path, 0) for path in between.passed if digest_of(layer) in path) < len(layer)
        assert begun + answer.read() == layer
        connection.close()
        whole(reader(cache), "hub/slow/app", image)
    finally:
        cache.close()


def test_an_upstream_of_which_too_much_was_asked(
    binary: Path, tmp_path: Path, upstream: Distribution, between: Between
) -> None:
    """What is stored serves and says so; what is not is refused as the upstream refuses it, and comes later."""
    image = small_image("busy")
    push(upstream.client(), "busy/app", image, "v1", "v2")
    cache = caching(binary, tmp_path / "busy", between.host, settings=("--pull-through-validity=1s",))
    try:
        rule(cache, "hub", between.host)
        client = reader(cache)
        client.get_manifest("hub/busy/app", "v1").expect(200)
        whole(client, "hub/busy/app", image)
        between.is_busy = True
        wait_until(
            lambda: client.get_manifest("hub/busy/app", "v1").expect(200).headers["Warning"] is not None,
            PATIENCE, "the tag is stale",
        )
        refused = client.get_manifest("hub/busy/app", "v2").expect_error(429, "TOOMANYREQUESTS")
        assert int(refused.headers["Retry-After"]) > 0
        assert between.refused > 0
        between.is_busy = False
        wait_until(lambda: client.get_manifest("hub/busy/app", "v2").status == 200, PATIENCE, "the other tag comes")
    finally:
        cache.close()


def test_the_cache_is_killed_in_the_middle(cache: Cache, upstream: Distribution) -> None:
    """The manifest was acknowledged; after a restart the job brings the rest."""
    image = small_image("killed", 2, 100 * MIB)
    push(upstream.client(), "crash/app", image, "v1")
    reader(cache).get_manifest("hub/crash/app", "v1").expect(200)
    connection, _, _ = first_bytes(cache, "hub/crash/app", digest_of(image.blobs[-1]), MIB)
    cache.kill()
    connection.close()
    cache.start()
    ecr = aws.client(cache)
    digests = [digest_of(blob) for blob in image.blobs]

    def there() -> bool:
        layers = ecr.batch_check_layer_availability(repositoryName="hub/crash/app", layerDigests=digests)["layers"]
        return all(layer["layerAvailability"] == "AVAILABLE" for layer in layers)

    wait_until(there, PATIENCE, "the image is whole after the crash")
    upstream.stop()
    client = reader(cache)
    assert client.get_manifest("hub/crash/app", "v1").expect(200).body == image.manifest
    whole(client, "hub/crash/app", image)


def test_what_is_stored_serves_while_the_upstream_is_down(
    binary: Path, tmp_path: Path, upstream: Distribution
) -> None:
    cache = caching(binary, tmp_path / "strict", upstream.host, settings=("--pull-through-validity=1s",))
    try:
        rule(cache, "hub", upstream.host)
        old, new = small_image("old"), small_image("new")
        push(upstream.client(), "moving/app", old, "v1")
        client = reader(cache)

        def pulled() -> tuple[str, str | None]:
            answer = client.get_manifest("hub/moving/app", "v1").expect(200)
            return answer.headers["Docker-Content-Digest"], answer.headers["Warning"]

        assert pulled() == (old.digest, None)
        whole(client, "hub/moving/app", old)
        upstream.stop()
        stale = (old.digest, '110 - "Response is Stale"')
        wait_until(lambda: pulled() == stale, PATIENCE, "the tag is stale")
        upstream.start()
        push(upstream.client(), "moving/app", new, "v1")
        wait_until(lambda: pulled() == (new.digest, None), PATIENCE, "the tag has moved")
        whole(client, "hub/moving/app", new)
    finally:
        cache.close()


def test_an_upstream_with_a_password(binary: Path, tmp_path: Path, locked: Distribution) -> None:
    image = small_image("locked", 2, 100_000)
    push(locked.client(password=True), "private/app", image, "v1")
    cache = caching(binary, tmp_path / "cache", locked.host)
    try:
        rule(cache, "anonymous", locked.host)
        client = reader(cache)
        client.get_manifest("anonymous/private/app", "v1").expect_error(403, "DENIED")
        ecr = aws.client(cache)
        answer = ecr.batch_get_image(repositoryName="anonymous/private/app", imageIds=[{"imageTag": "v1"}])
        assert [failed["failureCode"] for failed in answer["failures"]] == ["UpstreamAccessDenied"]
        body = json.dumps({"username": USER, "accessToken": PASSWORD})
        secrets = aws.client(cache, "secretsmanager")
        secret = secrets.create_secret(Name="ecr-pullthroughcache/locked", SecretString=body)
        rule(cache, "hub", locked.host, credentialArn=secret["ARN"])
        assert client.get_manifest("hub/private/app", "v1").expect(200).body == image.manifest
        whole(client, "hub/private/app", image)
        log = cache.log.read_text(errors="replace")
        assert PASSWORD not in log
    finally:
        cache.close()


def test_the_api_pulls_through_too(cache: Cache, upstream: Distribution) -> None:
    image = small_image("api", 2, 200_000)
    push(upstream.client(), "api/app", image, "v1")
    ecr = aws.client(cache)
    name = "hub/api/app"
    answer = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}])
    assert [found["imageManifest"].encode() for found in answer["images"]] == [image.manifest]
    assert [failed["failureCode"] for failed in answer["failures"]] == ["ImageNotFound"]
    for blob in image.blobs:
        link = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest_of(blob))
        connection = http.client.HTTPConnection(cache.host, timeout=PATIENCE)
        connection.request("GET", "/" + link["downloadUrl"].split("/", 3)[3])
        assert connection.getresponse().read() == blob
        connection.close()
    upstream.stop()
    failed = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "other"}])["failures"]
    assert [failed_one["failureCode"] for failed_one in failed] == ["UpstreamUnavailable"]


def test_permissions(cache: Cache, upstream: Distribution) -> None:
    push(upstream.client(), "guarded/app", small_image("guarded"), "v1", "v2")
    iam, ecr = aws.client(cache, "iam"), aws.client(cache)
    iam.create_user(UserName="puller")
    key = iam.create_access_key(UserName="puller")["AccessKey"]

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", *actions], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="puller", PolicyName="pull", PolicyDocument=document)

    allow("ecr:BatchGetImage")
    own = aws.client(
        cache, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    client = Registry(cache.host, aws.registry_password(own))
    name = "hub/guarded/app"
    client.get_manifest(name, "v1").expect_error(404, "NAME_UNKNOWN")
    allow("ecr:BatchGetImage", "ecr:BatchImportUpstreamImage")
    client.get_manifest(name, "v1").expect_error(404, "NAME_UNKNOWN")
    assert upstream.requests("guarded/app/manifests/v1") == upstream.requests("PUT /v2/guarded/app/manifests/v1")
    allow("ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:CreateRepository")
    client.get_manifest(name, "v1").expect(200)
    allow("ecr:BatchGetImage")
    client.get_manifest(name, "v1").expect(200)
    client.get_manifest(name, "v2").expect_error(404, "MANIFEST_UNKNOWN")
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["imageTagMutability"] == "MUTABLE"


def test_mirrors(binary: Path, tmp_path: Path, upstream: Distribution) -> None:
    """containerd's `ns`, and docker's names without one."""
    image = small_image("mirrored", 2, 100_000)
    push(upstream.client(), "library/busybox", image, "latest")
    cache = caching(binary, tmp_path / "cache", upstream.host)
    try:
        rule(cache, "hub", upstream.host)
        client = reader(cache)
        target = "/v2/library/busybox/{}?ns=" + upstream.host
        assert client.send("HEAD", target.format("manifests/latest")).expect(200).headers["Docker-Content-Digest"] == image.digest
        assert client.send("GET", target.format(f"manifests/{image.digest}")).expect(200).body == image.manifest
        for blob in image.blobs:
            assert client.send("GET", target.format(f"blobs/{digest_of(blob)}")).expect(200).body == blob
        client.get_manifest("library/busybox", "latest").expect_error(404, "NAME_UNKNOWN")
        client.send("GET", "/v2/library/busybox/manifests/latest?ns=ghcr.io").expect_error(404, "NAME_UNKNOWN")
    finally:
        cache.close()


def test_another_tonnage_is_the_upstream(binary: Path, tmp_path: Path, containers: Containers) -> None:
    """A rule with credentials of another deployment, and skopeo in front."""
    far = Server(binary, tmp_path / "far").start()
    cache = caching(binary, tmp_path / "near", far.host)
    try:
        far_ecr = aws.client(far)
        far_ecr.create_repository(repositoryName="team/app")
        source = aws.registry(far, far_ecr)
        image = source.push_small_image("team/app", "v1", "far", layers=3)
        body = json.dumps({"username": "AWS", "accessToken": aws.registry_password(far_ecr)})
        secret = aws.client(cache, "secretsmanager").create_secret(Name="ecr-pullthroughcache/far", SecretString=body)
        rule(cache, "far", far.host, credentialArn=secret["ARN"])
        containers.login(cache.host, aws.registry_password(aws.client(cache)))
        layout = tmp_path / "layout"
        containers.skopeo("copy", "--src-tls-verify=false", "--preserve-digests", f"docker://{cache.host}/far/team/app:v1", f"oci:{layout}:v1")
        index = json.loads((layout / "index.json").read_text())
        assert [manifest["digest"] for manifest in index["manifests"]] == [image.digest]
        far.stop()
        containers.skopeo("copy", "--src-tls-verify=false", f"docker://{cache.host}/far/team/app:v1", f"oci:{tmp_path / 'again'}:v1")
    finally:
        cache.close()
        far.close()
