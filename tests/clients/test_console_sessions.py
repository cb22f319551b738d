"""Sessions of the console, roles and shares of images, in a browser."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from harness import aws
from harness.browser import Browser
from harness.http import Registry
from harness.server import ACCOUNT, Server
from test_console import PASSWORD, REGION, arrive, fill, press, push_image, says, sign_in, sign_in_with_password, url
from test_image_shares import SharingServer

HERE = f"/console/{REGION}/"


@pytest.fixture(scope="module")
def sharing(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = SharingServer(binary, tmp_path_factory.mktemp("sessions") / "server")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def check_look(browser: Browser, name: str) -> None:
    """The page that is shown is accessible and fits."""
    pictures = os.environ.get("TONNAGE_TEST_PICTURES")
    if pictures:
        browser.save(Path(pictures) / f"sessions-{name}.png")
    assert browser.violations() == [], name
    overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} is too wide by {overflow}"


def as_if_later(server: Server, column: str, minutes: int) -> None:
    """Moves what sessions remember of a time into the past: as if so many minutes had gone by."""
    server.stop()
    with sqlite3.connect(server.data / "metadata.sqlite") as database:
        database.execute(f"UPDATE console_sessions SET {column} = {column} - ?", (minutes * 60_000,))
    server.start()


@pytest.mark.parametrize(
    ("column", "minutes", "ends"),
    [("last_used_at", 28, False), ("last_used_at", 31, True), ("created_at", 11 * 60, False), ("created_at", 12 * 60, True)],
    ids=["used-28-minutes-ago", "idle-31-minutes", "11-hours-old", "12-hours-old"],
)
def test_a_session_ends_with_time(sharing: Server, browser: Browser, column: str, minutes: int, ends: bool) -> None:
    wanted = f"{HERE}repositories?q=a"
    sign_in(browser, sharing, wanted)
    as_if_later(sharing, column, minutes)
    browser.show(url(sharing, wanted), width=1440, dark=False)
    if not ends:
        arrive(browser, wanted)
        says(browser, "Repositories")
        return
    arrive(browser, "/console/sign-in")
    # Whoever signs in again is where they were.
    browser.driver.back()
    sign_in(browser, sharing, wanted)


def test_signing_out_everywhere_ends_all_sessions(sharing: Server, browser: Browser, tmp_path: Path) -> None:
    with Browser(tmp_path / "other") as other:
        sign_in(other, sharing)
        sign_in(browser, sharing)
        browser.show(url(sharing, "/console/account"), width=390, dark=True)
        check_look(browser, "account-390-dark")
        press(browser, "Sign out everywhere")
        arrive(browser, "/console/sign-in")
        other.driver.refresh()
        arrive(other, "/console/sign-in")


def test_a_role_is_taken_on_a_small_screen(sharing: Server, browser: Browser) -> None:
    iam, ecr = aws.client(sharing, "iam"), aws.client(sharing)
    ecr.create_repository(repositoryName="roles/app")
    iam.create_user(UserName="ada")
    iam.create_login_profile(UserName="ada", Password=PASSWORD)
    take = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    iam.put_user_policy(UserName="ada", PolicyName="take", PolicyDocument=json.dumps(take))
    trust = {"Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}}
    iam.create_role(RoleName="deploy-with-a-long-name", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))
    see = {"Statement": {"Effect": "Allow", "Action": "ecr:Describe*", "Resource": "*"}}
    iam.put_role_policy(RoleName="deploy-with-a-long-name", PolicyName="see", PolicyDocument=json.dumps(see))
    sign_in_with_password(browser, sharing, "ada", PASSWORD)
    arrive(browser, HERE)
    repositories = url(sharing, f"{HERE}repositories")
    browser.show(repositories, width=390, dark=False)
    says(browser, "ecr:DescribeRepositories")
    browser.driver.find_element(By.CSS_SELECTOR, ".people > summary").click()
    check_look(browser, "menu-390-light")
    browser.driver.find_element(By.LINK_TEXT, "Switch role").click()
    arrive(browser, "/console/switch-role")
    check_look(browser, "switch-390-light")
    fill(browser, roleName="deploy-with-a-long-name")
    press(browser, "Switch role")
    arrive(browser, HERE)
    browser.show(repositories, width=390, dark=True)
    says(browser, "roles/app")
    assert "deploy-with-a-long-name" in browser.run("return document.querySelector('.who').innerText")
    check_look(browser, "role-390-dark")
    browser.driver.find_element(By.XPATH, "//header//button[normalize-space()='Back to ada']").click()
    says(browser, "You are ada again.")


def test_an_image_is_shared_for_a_while(sharing: Server, browser: Browser) -> None:
    ecr = aws.client(sharing)
    ecr.create_repository(repositoryName="shared/app")
    pushed = push_image(Registry(sharing.host, aws.registry_password(ecr)), "shared/app", "amd64", "v1")
    page = url(sharing, f"{HERE}repositories/shared/app/-/images/{pushed['digest']}")
    sign_in(browser, sharing)
    browser.show(page, width=1440, dark=True)
    Select(browser.driver.find_element(By.ID, "field-time")).select_by_index(0)
    fill(browser, uses="2")
    press(browser, "Share this image")
    says(browser, "The password is shown this once")
    check_look(browser, "share-1440-dark")
    fields = [code.text for code in browser.driver.find_elements(By.CSS_SELECTOR, "main .pairs code")]
    user, password = fields[-2:]
    holder = Registry(sharing.host, password, user=user)
    assert holder.get_manifest("shared/app", str(pushed["digest"])).status == 200
    browser.driver.find_element(By.LINK_TEXT, "I have kept it").click()
    says(browser, "1 of 2")
    assert password not in browser.driver.page_source
    for width, dark in ((390, False), (1440, False)):
        browser.show(page, width=width, dark=dark)
        check_look(browser, f"shares-{width}-light")
    press(browser, "Revoke")
    says(browser, "is not good any more")
    assert holder.get_manifest("shared/app", str(pushed["digest"])).status == 403
