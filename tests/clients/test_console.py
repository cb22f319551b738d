"""The console in a browser: every page, narrow and wide, dark and light, and what people do with them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness import aws, image
from harness.browser import Browser
from harness.engine import Docker
from harness.http import Registry, descriptor, digest_of, send
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tools import wait_until
from test_docker import load

HOSTILE = "<script>document.title = 'taken'</script>"
PASSWORD = "Correct-Horse-1"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REGION = "us-east-1"


def push_image(registry: Registry, name: str, architecture: str, tag: str | None) -> dict[str, Any]:
    """Pushes an image with a configuration worth looking at; its descriptor."""
    layers = [os.urandom(3000), os.urandom(200_000)]
    config = json.dumps(
        {
            "os": "linux",
            "architecture": architecture,
            "config": {
                "Entrypoint": ["/usr/bin/server"],
                "Cmd": ["--root", "/srv"],
                "User": "nobody",
                "ExposedPorts": {"8080/tcp": {}},
                "Labels": {"org.opencontainers.image.licenses": "Apache-2.0", "hostile": HOSTILE},
            },
            "history": [
                {"created_by": "ADD rootfs.tar.xz / # debian.sh --arch 'amd64' out/ 'bookworm'"},
                {"created_by": f"COPY server /usr/bin/server # {HOSTILE}"},
            ],
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    ).encode()
    for blob in [config, *layers]:
        registry.push_blob(name, blob).expect(201)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config, CONFIG),
            "layers": [descriptor(layer, LAYER) for layer in layers],
            "annotations": {"org.opencontainers.image.title": f"Harbour {HOSTILE}"},
        }
    ).encode()
    registry.push_manifest(name, tag or digest_of(manifest), manifest, MANIFEST).expect(201)
    return descriptor(manifest, MANIFEST, platform={"os": "linux", "architecture": architecture})


@pytest.fixture(scope="module")
def console(server: Server) -> dict[str, str]:
    """A registry with all that pages show; the paths of the pages."""
    ecr = aws.client(server)
    for name in ("team/web-server", "team/database", "tools/crane", "empty"):
        ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "harbour"}])
    registry = Registry(server.host, aws.registry_password(ecr))
    for name in ("team/database", "tools/crane"):
        push_image(registry, name, "amd64", "latest")
    web = "team/web-server"
    children = [push_image(registry, web, architecture, None) for architecture in ("amd64", "arm64")]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    for tag in ("1", "1.27", "1.27.4", "stable", "latest"):
        registry.push_manifest(web, tag, index, INDEX).expect(201)
    push_image(registry, web, "amd64", "nightly")
    registry.push_blob(web, b"{}").expect(201)
    empty = descriptor(b"{}", "application/vnd.oci.empty.v1+json")
    signature = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "config": empty,
            "layers": [empty],
            "subject": descriptor(index, INDEX),
        }
    ).encode()
    registry.push_manifest(web, digest_of(signature), signature, MANIFEST).expect(201)
    # One that is only tried: what it would delete, the pages show.
    policy = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
    ecr.start_lifecycle_policy_preview(repositoryName=web, lifecyclePolicyText=json.dumps(policy))
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(
        repositoryName=web, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    own = f"/console/{REGION}/repositories/{web}"
    child = children[0]["digest"]
    return {
        "overview": f"/console/{REGION}/",
        "repositories": f"/console/{REGION}/repositories",
        "nothing": f"/console/{REGION}/repositories?q=zeppelin",
        "create": f"/console/{REGION}/create-repository",
        "images": own,
        "no-image": f"/console/{REGION}/repositories/empty",
        "index": f"{own}/-/images/{digest_of(index)}",
        "image": f"{own}/-/images/{child}",
        "lifecycle": f"{own}/-/lifecycle",
        "permissions": f"{own}/-/permissions",
        "settings": f"{own}/-/settings",
        "simulator": f"/console/{REGION}/simulator?principal=arn:aws:iam::{ACCOUNT}:root"
        f"&action=ecr:PutImage&resource=arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{web}",
        "account": "/console/account",
        "other-region": "/console/eu-north-1/",
        "missing": f"/console/{REGION}/nothing",
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def url(server: Server, path: str) -> str:
    """The address of a page."""
    return f"http://{server.host}{path}"


def arrive(browser: Browser, path: str) -> None:
    """Waits for a page that was asked for by a click."""
    wait_until(lambda: path in browser.driver.current_url, 30, f"the browser is at {path}")


def fill(browser: Browser, **fields: str) -> None:
    """Writes into fields in place of what they have."""
    for name, value in fields.items():
        field = browser.driver.find_element(By.ID, f"field-{name}")
        field.clear()
        field.send_keys(value)


def press(browser: Browser, text: str) -> None:
    """Presses the button that has this text."""
    browser.driver.find_element(By.XPATH, f"//main//button[normalize-space()='{text}']").click()


def tab(browser: Browser, title: str) -> None:
    """Opens another page of a repository."""
    browser.driver.find_element(By.XPATH, f"//nav[@aria-label='Repository']//a[normalize-space()='{title}']").click()


def says(browser: Browser, text: str) -> None:
    """Waits for a page that has a text."""
    wait_until(lambda: text in browser.run("return document.body.innerText"), 30, f"the page says {text!r}")


def sign_in(browser: Browser, server: Server, path: str = "/console/") -> None:
    """Signs in with the key of the root."""
    browser.driver.delete_all_cookies()
    browser.show(url(server, path), width=1440, dark=False)
    arrive(browser, "/console/sign-in")
    fill(browser, key=ROOT_KEY_ID, secret=ROOT_SECRET)
    press(browser, "Sign in")
    arrive(browser, "/console/us" if path == "/console/" else path)


def sign_in_with_password(browser: Browser, server: Server, user: str, password: str) -> None:
    """Signs in as a user."""
    browser.driver.delete_all_cookies()
    browser.show(url(server, "/console/sign-in?with=password"), width=1440, dark=False)
    fill(browser, account=ACCOUNT, user=user, secret=password)
    press(browser, "Sign in")


def check_look(browser: Browser, server: Server, pictures: Path, name: str, path: str, width: int) -> None:
    """A page is accessible, fits, and does only what it may."""
    for dark in (False, True):
        browser.show(url(server, path), width=width, dark=dark)
        browser.save(pictures / f"console-{name}-{width}-{'dark' if dark else 'light'}.png")
        assert browser.violations() == [], (name, width, dark)
        overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} is wider than {width} pixels by {overflow}"
        assert "taken" not in browser.driver.title, name
        complaints = browser.complaints()
        if name == "missing":
            complaints = [entry for entry in complaints if "404" not in entry]
        assert complaints == [], name


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible_and_fits(
    server: Server, console: dict[str, str], browser: Browser, width: int, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("TONNAGE_TEST_PICTURES", tmp_path))
    browser.show(url(server, "/console/sign-in"), width=width, dark=False)
    browser.driver.delete_all_cookies()
    for name, path in {"sign-in": "/console/sign-in", "password": "/console/sign-in?with=password"}.items():
        check_look(browser, server, pictures, name, path, width)
    sign_in(browser, server)
    for name, path in console.items():
        check_look(browser, server, pictures, name, path, width)


def test_people_make_a_repository_and_see_what_is_pushed(
    server: Server, browser: Browser, docker: Docker, busybox: image.Image, tmp_path: Path
) -> None:
    sign_in(browser, server, f"/console/{REGION}/create-repository")
    fill(browser, name="people/first")
    press(browser, "Create repository")
    arrive(browser, "/repositories/people/first")
    says(browser, "The repository people/first is there.")
    says(browser, f"docker push {server.host}/people/first:latest")
    # The page shows what is pushed while it is open.
    name = f"{server.host}/people/first:v0"
    load(docker, tmp_path, name, busybox)
    docker.docker("push", name)
    says(browser, "single platform")
    assert "Nothing is pushed yet" not in browser.run("return document.body.innerText")
    registry = Registry(server.host, aws.registry_password(aws.client(server)))
    for number in (1, 2):
        push_image(registry, "people/first", "amd64", f"v{number}")
    says(browser, "v2")
    assert browser.violations() == [] and browser.complaints() == []

    # The policy: first a look, then for good.
    tab(browser, "Lifecycle")
    arrive(browser, "/-/lifecycle")
    policy = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2},
                "action": {"type": "expire"},
            }
        ]
    }
    browser.driver.find_element(By.XPATH, "//summary[.='The same as JSON']").click()
    fill(browser, policy=json.dumps(policy))
    press(browser, "Preview JSON")
    # It is looked for again until it is made.
    says(browser, "bytes that nothing else needs")
    row = browser.driver.find_element(By.CSS_SELECTOR, "[aria-label='Images of the preview'] tbody tr").text
    assert "v0" in row and "deleted" in row, row
    press(browser, "Put this policy in force")
    says(browser, "The policy is in force.")
    ecr = aws.client(server)
    stored = ecr.get_lifecycle_policy(repositoryName="people/first")["lifecyclePolicyText"]
    assert json.loads(stored) == policy

    # Its end.
    tab(browser, "Settings")
    arrive(browser, "/-/settings")
    fill(browser, confirm="people/first")
    browser.driver.find_element(By.ID, "field-force").click()
    press(browser, "Delete repository")
    says(browser, "The repository people/first is deleted.")


def test_users_see_what_policies_allow(server: Server, browser: Browser) -> None:
    iam = aws.client(server, "iam")
    aws.client(server).create_repository(repositoryName="secret/plans")
    iam.create_user(UserName="ada")
    iam.create_login_profile(UserName="ada", Password=PASSWORD, PasswordResetRequired=True)
    document = {"Statement": {"Effect": "Allow", "Action": "iam:ChangePassword", "Resource": "*"}}
    iam.put_user_policy(UserName="ada", PolicyName="own", PolicyDocument=json.dumps(document))
    sign_in_with_password(browser, server, "ada", PASSWORD)
    arrive(browser, "/console/password")
    fill(browser, old=PASSWORD, new="Another-Horse-2", again="Another-Horse-2")
    press(browser, "Change password")
    says(browser, "Your password is changed.")
    says(browser, "ecr:DescribeRepositories")
    assert "secret/plans" not in browser.driver.page_source
    browser.show(url(server, f"/console/{REGION}/repositories/secret/plans/-/settings"), width=1440, dark=False)
    says(browser, "You may not see or do that")
    # Who is gone is signed out.
    iam.delete_user_policy(UserName="ada", PolicyName="own")
    iam.delete_login_profile(UserName="ada")
    iam.delete_user(UserName="ada")
    browser.driver.refresh()
    arrive(browser, "/console/sign-in")
    browser.complaints()


def test_nobody_sends_forms_for_others(server: Server, browser: Browser) -> None:
    sign_in(browser, server, f"/console/{REGION}/create-repository")
    cookies = {cookie["name"]: cookie["value"] for cookie in browser.driver.get_cookies()}
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    token = browser.driver.find_element(By.CSS_SELECTOR, "main input[name=csrf]").get_attribute("value")
    path = f"/console/{REGION}/create-repository"

    def forge(token: str, origin: str | None) -> int:
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        if origin is not None:
            headers["Origin"] = origin
        form = f"csrf={token}&name=forged&mutability=MUTABLE".encode()
        return send(server.host, "POST", path, headers=headers, body=form).status

    own = f"http://{server.host}"
    assert forge("", own) == 403
    assert forge("0" * 64, own) == 403
    assert forge(token, "http://evil.example") == 403
    assert forge(token, None) == 403
    names = [it["repositoryName"] for it in aws.client(server).describe_repositories()["repositories"]]
    assert "forged" not in names
    assert forge(token, own) == 303
    aws.client(server).delete_repository(repositoryName="forged")


def test_signing_in_leads_nowhere_else(server: Server, browser: Browser) -> None:
    for there in ("//evil.example/", "https://evil.example/console/", "/console//evil.example"):
        browser.show(url(server, "/console/sign-in"), width=1440, dark=False)
        browser.driver.delete_all_cookies()
        browser.show(url(server, f"/console/sign-in?next={there}"), width=1440, dark=False)
        fill(browser, key=ROOT_KEY_ID, secret=ROOT_SECRET)
        press(browser, "Sign in")
        arrive(browser, f"{server.host}/console/{REGION}/")


def test_the_root_shows_the_way_and_protocols_stay(server: Server) -> None:
    page = send(server.host, "GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.status == 303 and page.headers["location"] == "/console/"
    assert send(server.host, "GET", "/v2/", headers={"Accept": "text/html"}).status == 401
    assert send(server.host, "GET", "/", headers={"Accept": "*/*"}).status != 303
    elsewhere = send(server.host, "GET", "/console/", host_header="registry.example.com")
    assert elsewhere.status == 403 and b"This connection is not private" in elsewhere.body


def test_everything_works_with_the_keyboard_and_without_scripts(server: Server, console: dict[str, str], tmp_path: Path) -> None:
    with Browser(tmp_path / "profile", scripts=False) as browser:
        browser.show(url(server, "/console/"), width=1440, dark=False)
        arrive(browser, "/console/sign-in")
        browser.driver.find_element(By.ID, "field-key").send_keys(ROOT_KEY_ID, Keys.TAB, ROOT_SECRET, Keys.ENTER)
        arrive(browser, f"/console/{REGION}/")
        browser.driver.find_element(By.XPATH, "//nav[@aria-label='Console']//a[normalize-space()='Repositories']").click()
        arrive(browser, "/repositories")
        browser.driver.find_element(By.ID, "q").send_keys("WEB-S", Keys.ENTER)
        arrive(browser, "q=WEB-S")
        browser.driver.find_element(By.LINK_TEXT, "team/web-server").click()
        arrive(browser, "/repositories/team/web-server")
        browser.driver.find_element(By.LINK_TEXT, "stable").click()
        arrive(browser, "/-/images/sha256:")
        says(browser, "linux/arm64")
