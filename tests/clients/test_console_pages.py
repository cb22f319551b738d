"""The console's pages of use, history, lifecycle rules and copies, in a browser."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Iterator

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness import aws
from harness.browser import Browser
from harness.http import Registry, digest_of
from harness.server import ACCOUNT, ROOT_KEY_ID, ROOT_SECRET, Server
from harness.tools import wait_until
from test_console import INDEX, push_image
from test_console_settings import shades

REGION = "us-east-1"
HERE = f"/console/{REGION}"
WEB = "pages/web"
SHOWN = "pages/shown"
OWN = f"{HERE}/repositories/{WEB}"


@pytest.fixture(scope="module")
def pages(server: Server) -> dict[str, str]:
    """A registry that is used; the paths of the pages."""
    ecr = aws.client(server)
    for name in (WEB, "pages/unused", "pages/away-1"):
        ecr.create_repository(repositoryName=name)
    registry = Registry(server.host, aws.registry_password(ecr))
    for tag in ("dev-1", "dev-2", "latest"):
        push_image(registry, WEB, "amd64", tag)
    children = [push_image(registry, WEB, architecture, None) for architecture in ("amd64", "arm64")]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    for tag in ("latest", "stable"):
        registry.push_manifest(WEB, tag, index, INDEX).expect(201)
    push_image(registry, "pages/unused", "amd64", "v1")
    for reference in ("latest", "stable", "dev-1", str(children[0]["digest"])):
        registry.send("GET", f"/v2/{WEB}/manifests/{reference}").expect(200)
    ecr.batch_delete_image(repositoryName=WEB, imageIds=[{"imageTag": "stable"}])
    # One destination takes what is sent there, the other one does not know this account.
    rule = {
        "destinations": [{"region": "eu-west-1", "registryId": ACCOUNT}, {"region": REGION, "registryId": "210987654321"}],
        "repositoryFilters": [{"filter": "pages/away", "filterType": "PREFIX_MATCH"}],
    }
    ecr.put_replication_configuration(replicationConfiguration={"rules": [rule]})
    push_image(registry, "pages/away-1", "amd64", "v1")
    public = aws.client(server, "ecr-public")
    shown = public.create_repository(repositoryName=SHOWN)["repository"]["repositoryUri"].partition("/")[2]
    owner = Registry(server.public_host, aws.public_password(public))
    owner.push_small_image(shown, "v1", "pages")
    owner.get_manifest(shown, "v1").expect(200)
    return {
        "use": f"{HERE}/",
        "pushed-last": f"{HERE}/repositories?sort=pushed",
        "create-all": f"{HERE}/create-repository",
        "activity": f"{OWN}/-/activity",
        "no-activity": f"{HERE}/repositories/pages/unused/-/activity",
        "history": f"{OWN}/-/history",
        "history-of-tag": f"{OWN}/-/history?tag=latest",
        "no-history": f"{OWN}/-/history?tag=zeppelin",
        "platforms": f"{OWN}/-/images/{digest_of(index)}",
        "rules": f"{OWN}/-/lifecycle",
        "matrix": f"{HERE}/registry/replication",
        "public-pulls": f"{HERE}/public/repositories/{SHOWN}/-/pulls?days=90",
        "switch-role": f"/console/switch-role?account={ACCOUNT}&roleName=deploy",
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def text_of(browser: Browser) -> str:
    """What a page says."""
    return str(browser.run("return document.body.innerText"))


def says(browser: Browser, text: str) -> None:
    """Waits for a page that has a text."""
    try:
        wait_until(lambda: text in text_of(browser), 30, f"the page says {text!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}, but:\n{text_of(browser)}") from None


def fill(browser: Browser, name: str, value: str) -> None:
    """Writes into a field in place of what it has."""
    field = browser.driver.find_element(By.ID, f"field-{name}")
    field.clear()
    field.send_keys(value)


def choose(browser: Browser, name: str, value: str) -> None:
    """Chooses from a list."""
    Select(browser.driver.find_element(By.ID, f"field-{name}")).select_by_value(value)


def press(browser: Browser, text: str) -> None:
    """Presses the button that has this text, and waits for the page that answers."""
    path = f"//main//button[not(@aria-hidden) and (normalize-space()='{text}' or @aria-label='{text}')]"
    button = browser.driver.find_element(By.XPATH, path)
    button.click()
    # While the page goes the driver may have neither the old node nor a new one, and says so as an error of its own.
    going = WebDriverWait(browser.driver, 30, ignored_exceptions=[WebDriverException])
    going.until(expected_conditions.staleness_of(button))


def go(browser: Browser, server: Server, path: str) -> None:
    """Opens a page wide and light."""
    browser.show(f"http://{server.host}{path}", width=1440, dark=False)


def sign_in(browser: Browser, server: Server) -> None:
    """Signs in with the key of the root."""
    go(browser, server, "/console/sign-in")
    browser.driver.delete_all_cookies()
    go(browser, server, "/console/sign-in")
    fill(browser, "key", ROOT_KEY_ID)
    fill(browser, "secret", ROOT_SECRET)
    press(browser, "Sign in")
    wait_until(lambda: HERE in browser.driver.current_url, 30, "somebody is signed in")


def check_look(browser: Browser, name: str, width: int, dark: bool, pictures: Path) -> None:
    """The page that is shown is accessible and fits."""
    browser.save(pictures / f"pages-{name}-{width}-{'dark' if dark else 'light'}.png")
    assert browser.violations() == [], (name, width, dark)
    overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is wider than {width} pixels by {overflow}"
    # A form that is refused is a bad request, and the browser says so.
    complaints = [entry for entry in browser.complaints() if "400 (Bad Request)" not in entry]
    assert complaints == [], name


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("TONNAGE_TEST_PICTURES", tmp_path))


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_accessible_and_fits(
    server: Server, pages: dict[str, str], browser: Browser, width: int, pictures: Path
) -> None:
    sign_in(browser, server)
    for name, path in pages.items():
        for dark in shades(name, width):
            browser.show(f"http://{server.host}{path}", width=width, dark=dark)
            check_look(browser, name, width, dark, pictures)


def test_rules_are_written_in_a_form_tried_and_put_in_force(
    server: Server, pages: dict[str, str], browser: Browser, pictures: Path
) -> None:
    sign_in(browser, server)
    go(browser, server, pages["rules"])
    says(browser, "The rules below are a suggestion")
    press(browser, "Remove rule 2")
    says(browser, "Deletes images without a tag 14 days after the push.")
    choose(browser, "tags-0", "prefixes")
    choose(browser, "count-0", "imageCountMoreThan")
    fill(browser, "list-0", "dev")
    fill(browser, "number-0", "1")
    fill(browser, "description-0", "One build is enough")
    press(browser, "Add a rule")
    says(browser, "Deletes images with a tag that begins with dev, all but the newest.")
    choose(browser, "count-1", "sinceImagePulled")
    press(browser, "Preview")
    says(browser, "Rule 2: days without a pull can archive images, and delete none.")
    check_look(browser, "rules-refused", 1440, False, pictures)
    choose(browser, "action-1", "archive")
    press(browser, "Move rule 2 up")
    says(browser, "Archives images without a tag that nobody pulled for 14 days.")
    press(browser, "Move rule 2 up")
    press(browser, "Preview")
    # The one that goes shares nothing with the others: its layers and its config are freed.
    ecr = aws.client(server)
    image = ecr.describe_images(repositoryName=WEB, imageIds=[{"imageTag": "dev-1"}])["imageDetails"][0]
    says(browser, f"{image['imageSizeInBytes']:,} bytes that nothing else needs")
    row = browser.driver.find_element(By.CSS_SELECTOR, "[aria-label='What each rule would take'] tbody tr").text
    assert "One build is enough" in row, row
    for width in (1440, 390):
        for dark in (False, True):
            browser.show(f"http://{server.host}{pages['rules']}", width=width, dark=dark)
            check_look(browser, "rules-tried", width, dark, pictures)
    go(browser, server, pages["rules"])
    press(browser, "Put this policy in force")
    says(browser, "The policy is in force.")
    stored = json.loads(ecr.get_lifecycle_policy(repositoryName=WEB)["lifecyclePolicyText"])
    assert [rule["rulePriority"] for rule in stored["rules"]] == [1, 2]
    assert stored["rules"][0]["selection"] == {
        "tagStatus": "tagged",
        "tagPrefixList": ["dev"],
        "countType": "imageCountMoreThan",
        "countNumber": 1,
    }
    # The form and JSON show one document.
    browser.driver.find_element(By.XPATH, "//summary[.='The same as JSON']").click()
    field = browser.driver.find_element(By.ID, "field-policy")
    assert json.loads(str(field.get_attribute("value"))) == stored
    press(browser, "Take the policy away")
    says(browser, "The policy is taken away")


def test_tags_tell_where_they_pointed(server: Server, pages: dict[str, str], browser: Browser) -> None:
    sign_in(browser, server)
    go(browser, server, pages["history"])
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "[aria-label='Moves of tags'] tbody tr")
    # What the policy of an earlier test removes comes above it.
    stable = [row.text for row in rows if "stable" in row.text]
    assert "removed" in stable[0] and "root" in stable[0], stable
    browser.driver.find_element(By.LINK_TEXT, "latest").click()
    wait_until(lambda: "tag=latest" in browser.driver.current_url, 30, "one tag is shown")
    rows = browser.driver.find_elements(By.CSS_SELECTOR, "[aria-label='Moves of tags'] tbody tr")
    assert [("moved" in row.text, "set" in row.text) for row in rows] == [(True, False), (False, True)]


def test_use_is_shown(server: Server, pages: dict[str, str], browser: Browser) -> None:
    sign_in(browser, server)

    def counted() -> bool:
        go(browser, server, pages["activity"])
        return "3 pulls in the last 30 days" in text_of(browser)

    wait_until(counted, 30, "three pulls are counted: the part of the index is none of its own")
    says(browser, "5 pushes in the last 30 days")
    go(browser, server, pages["use"])
    says(browser, "Age of images")
    go(browser, server, pages["platforms"])
    says(browser, "2 pulls in the last 30 days")
    go(browser, server, pages["public-pulls"])
    says(browser, "1 pull in the last 90 days")
    browser.driver.find_element(By.LINK_TEXT, "7 days").click()
    says(browser, "1 pull in the last 7 days")
    assert {"By tag", "By platform", "By digest", "By network"} <= set(text_of(browser).splitlines())


def test_what_failed_is_tried_again(server: Server, pages: dict[str, str], browser: Browser, pictures: Path) -> None:
    sign_in(browser, server)

    def failed() -> bool:
        go(browser, server, pages["matrix"])
        return "Copies that failed" in text_of(browser) and "up to date" in text_of(browser)

    wait_until(failed, 60, "one copy failed and one arrived")
    for width, dark in ((1440, True), (390, False)):
        browser.show(f"http://{server.host}{pages['matrix']}", width=width, dark=dark)
        check_look(browser, "matrix-failed", width, dark, pictures)
    go(browser, server, pages["matrix"])
    press(browser, "Try again")
    says(browser, "Queued again: 1 image")


def png(side: int) -> bytes:
    """A square picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\x00" + bytes([30, 120, 200]) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b"")


def test_a_logo_is_uploaded(server: Server, browser: Browser, tmp_path: Path, pictures: Path) -> None:
    public = aws.client(server, "ecr-public")
    public.create_repository(
        repositoryName="pages/logo", catalogData={"description": "Has a logo", "architectures": ["ARM 64"]}
    )
    sign_in(browser, server)
    path = f"{HERE}/public/repositories/pages/logo"
    go(browser, server, path)
    says(browser, "There is none")
    for name, data in {"no.png": b"no picture", "small.png": png(10), "logo.png": png(128)}.items():
        (tmp_path / name).write_bytes(data)
    for name, told in {
        "no.png": "A logo must be a PNG image",
        "small.png": "Each side of a logo has 60 to 2048 pixels",
        "logo.png": "Saved.",
    }.items():
        browser.driver.find_element(By.ID, "field-logo").send_keys(str(tmp_path / name))
        press(browser, "Upload")
        says(browser, told)
    assert browser.run("return document.querySelector('.logo img').naturalWidth") == 128
    for width in (1440, 390):
        browser.show(f"http://{server.host}{path}", width=width, dark=width == 390)
        check_look(browser, "logo", width, width == 390, pictures)
    data = public.get_repository_catalog_data(repositoryName="pages/logo")["catalogData"]
    assert data["description"] == "Has a logo" and data["architectures"] == ["ARM 64"] and data["logoUrl"]
    go(browser, server, path)
    press(browser, "Take the logo away")
    says(browser, "There is none")


def test_rules_are_written_without_scripts(server: Server, pages: dict[str, str], tmp_path: Path) -> None:
    with Browser(tmp_path / "profile", scripts=False) as browser:
        sign_in(browser, server)
        go(browser, server, f"{HERE}/repositories/pages/unused/-/lifecycle")
        sentences = ["Deletes images without a tag 14 days after the push.", "Deletes images, all but the newest 100."]

        def in_order(first: str, second: str) -> bool:
            source = browser.driver.page_source
            return -1 < source.find(first) < source.find(second)

        press(browser, "Move rule 2 up")
        wait_until(lambda: in_order(sentences[1], sentences[0]), 30, "the rules changed places")
        press(browser, "Move rule 1 down")
        wait_until(lambda: in_order(*sentences), 30, "the rules are where they were")
        press(browser, "Preview")
        wait_until(lambda: "is being made" in browser.driver.page_source, 30, "the preview begins")

        def shown() -> bool:
            go(browser, server, f"{HERE}/repositories/pages/unused/-/lifecycle")
            return "Every image stays." in browser.driver.page_source

        wait_until(shown, 30, "the preview is shown")
