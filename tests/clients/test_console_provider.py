"""Signing in to the console with an identity provider, in a browser."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest
import requests
from selenium.webdriver.common.by import By

from harness import aws
from harness.browser import Browser
from harness.provider import CLIENT_ID, CLIENT_SECRET, Provider
from harness.server import ACCOUNT, Server
from harness.tools import wait_until

HERE = "/console/us-east-1"
BACK = "/console/sign-in/provider/back"


class FederatedServer(Server):
    """A server whose console lets in whom a provider on this machine knows."""

    provider: Provider

    def command(self) -> list[str]:
        secret = self.directory / "oidc"
        secret.write_text(f"{CLIENT_SECRET}\n")
        roles = f"arn:aws:iam::{ACCOUNT}:role"
        return [
            *super().command(), "--outbound-network", "127.0.0.0/8", "--console-oidc-issuer", self.provider.url,
            "--console-oidc-client-id", CLIENT_ID, "--console-oidc-client-secret-file", str(secret),
            "--console-oidc-role", f"groups=admins={roles}/admin", "--console-oidc-role", f"groups=staff={roles}/reader",
        ]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def federated(binary: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederatedServer]:
    server = FederatedServer(binary, tmp_path_factory.mktemp("federated"))
    server.provider = provider
    server.start()
    iam = aws.client(server, "iam")
    iam.create_open_id_connect_provider(Url=provider.url, ClientIDList=[CLIENT_ID, "other"], ThumbprintList=[])
    condition = {"StringEquals": {f"{provider.name}:aud": CLIENT_ID}, "StringLike": {f"{provider.name}:sub": "user-*"}}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider.name}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name, policy in (("admin", "AdministratorAccess"), ("reader", "AmazonEC2ContainerRegistryReadOnly")):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    yield server
    server.close()


@pytest.fixture
def known(provider: Provider) -> Iterator[Provider]:
    """The provider, which tells of an administrator."""
    provider.claims, provider.refuses = {"groups": ["staff", "admins"]}, None
    yield provider


def test_somebody_signs_in_and_out(federated: FederatedServer, known: Provider, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("TONNAGE_TEST_PICTURES", tmp_path))
    with Browser(tmp_path / "browser") as browser:
        driver = browser.driver

        def come(user: str) -> None:
            browser.show(f"{federated.url}{HERE}/jobs?state=dead", width=1440, dark=False)
            driver.find_element(By.PARTIAL_LINK_TEXT, "Sign in with").click()
            driver.find_element(By.XPATH, "//button[text()='I am Ada']").click()
            wait_until(lambda: driver.current_url == f"{federated.url}{HERE}/jobs?state=dead", 30, f"{user} is in")

        for width in (1440, 390):
            browser.show(f"{federated.url}/console/sign-in", width=width, dark=width < 600)
            assert browser.violations() == []
            browser.save(pictures / f"provider-sign-in-{width}.png")
        come("an administrator")
        assert "ada@example.com" in driver.find_element(By.CSS_SELECTOR, ".who").text
        browser.show(f"{federated.url}/console/account", width=1440, dark=False)
        text = driver.find_element(By.TAG_NAME, "main").text
        assert f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/ada@example.com" in text
        assert "an identity provider" in text
        asked = known.asked[-1]
        assert asked["scope"] == "openid email profile" and asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{federated.url}{BACK}"
        driver.find_element(By.XPATH, "//button[text()='Sign out']").click()
        wait_until(lambda: driver.current_url.endswith("/console/sign-in"), 30, "nobody is signed in")

        # Somebody else of fewer groups gets the role that is meant for them, and no more.
        known.claims = {"groups": ["staff"], "sub": "user-2", "email": "eve@example.com", "email_verified": False}
        come("a reader")
        assert "user-2" in driver.find_element(By.CSS_SELECTOR, ".who").text
        assert "tonnage:ListJobs" in driver.find_element(By.TAG_NAME, "main").text
        # What came of it is said in the browser's own words, with nothing of the provider's that is markup.
        browser.show(f"{federated.url}/console/account", width=1440, dark=False)
        driver.find_element(By.XPATH, "//button[text()='Sign out']").click()
        known.refuses = "access_denied"
        browser.show(f"{federated.url}/console/sign-in", width=390, dark=False)
        driver.find_element(By.PARTIAL_LINK_TEXT, "Sign in with").click()
        driver.find_element(By.XPATH, "//button[text()='I am Ada']").click()
        assert "access_denied. It says: <b>not</b> today" in driver.find_element(By.CSS_SELECTOR, "[role=alert]").text
        assert browser.violations() == []
        browser.save(pictures / "provider-refused-390.png")


class Wanderer:
    """A browser without pages: it follows one step at a time."""

    def __init__(self, server: FederatedServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(f"{self.server.url}{path}", params=query, allow_redirects=False, timeout=30)

    def begin(self, next_page: str = "") -> dict[str, str]:
        """What the provider is asked."""
        answer = self.get("/console/sign-in/provider", next=next_page)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{self.server.provider.url}/authorize?")
        return dict(requests.compat.parse_qsl(requests.compat.urlsplit(answer.headers["location"]).query))  # type: ignore[attr-defined]

    def back(self, asked: dict[str, str], **changes: str) -> requests.Response:
        """Comes back from the provider."""
        address = requests.compat.urlsplit(self.server.provider.back(asked))
        query = dict(requests.compat.parse_qsl(address.query))  # type: ignore[attr-defined]
        return self.get(address.path, **{**query, **changes})


def test_nobody_comes_in_by_a_way_of_their_own(federated: FederatedServer, known: Provider) -> None:
    def refused(answer: requests.Response, status: int, *words: str) -> None:
        assert answer.status_code == status, answer.text
        assert "tonnage-session" not in str(answer.headers.get("set-cookie"))
        for word in words:
            assert word in answer.text, (word, answer.text)

    # Where somebody goes on to is a page of the console, whatever the address says.
    for wanted, expected in (
        (f"{HERE}/repositories?q=a", f"{HERE}/repositories?q=a"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/console/\\evil.example", "/console/"),
    ):
        wanderer = Wanderer(federated)
        answer = wanderer.back(wanderer.begin(wanted))
        assert (answer.status_code, answer.headers["location"]) == (303, expected)
        assert wanderer.get(f"{HERE}/").status_code == 200

    one, other = Wanderer(federated), Wanderer(federated)
    asked = one.begin()
    other.begin()
    # The answer of one browser is worth nothing in another, nor a second time.
    refused(other.back(asked), 401, "another browser")
    refused(Wanderer(federated).get(BACK, code="x", state="y"), 401, "another browser")
    refused(one.back(asked, state="wrong"), 401, "another browser")
    asked = one.begin()
    refused(one.back(asked, code="guessed"), 401, "invalid_grant")
    asked = one.begin()
    refused(one.back(asked, iss="https://evil.example"), 401, "another identity provider")
    refused(one.back({**one.begin(), "code_challenge": "wrong"}), 401, "invalid_grant")

    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"groups": ["nobody"]}, 403, "console_oidc_role"),
        ({"groups": ["admins"], "nonce": "of another sign-in"}, 403, "another sign-in"),
        ({"groups": ["admins"], "aud": "other"}, 403, "not meant for this console"),
        ({"groups": ["admins"], "aud": "stranger"}, 403, "Incorrect token audience"),
        ({"groups": ["admins"], "exp": 1}, 403, "expired"),
        ({"groups": ["admins"], "sub": "stranger"}, 403, "sts:AssumeRoleWithWebIdentity"),
        ({"groups": ["admins"], "iss": "https://evil.example"}, 403, "No OpenIDConnect provider"),
    ]
    for claims, status, word in cases:
        known.claims = claims
        wanderer = Wanderer(federated)
        refused(wanderer.back(wanderer.begin()), status, word)
