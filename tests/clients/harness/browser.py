"""Debian's Chromium, driven by its own driver, and axe-core, which tells what people with a screen reader miss."""

from __future__ import annotations

import base64
import importlib.resources
from pathlib import Path
from types import TracebackType
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"


class Browser:
    """A window that can be narrow or wide, dark or light, and with scripts or without."""

    def __init__(self, profile: Path, *, scripts: bool = True) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(word)
        options.add_argument(f"--user-data-dir={profile}")
        options.add_argument("--no-proxy-server")
        # Whatever the browser itself asks the internet for is not what is tested.
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        # A page that is there may still be read.
        self.driver.implicitly_wait(10)
        self.axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.driver.quit()

    def command(self, name: str, **arguments: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def show(self, address: str, *, width: int, dark: bool) -> None:
        """Opens a page."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = "dark" if dark else "light"
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.driver.get(address)

    def run(self, script: str) -> Any:
        """What a script returns, past the page's own policy."""
        return self.driver.execute_script(script)

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page."""
        self.run(self.axe)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(found => done(found.violations));"
        )
        return [f"{rule['id']}: {node['html']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]

    def complaints(self) -> list[str]:
        """What the browser says of pages since it was last asked: what their policy refused, what did not load."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def save(self, file: Path) -> None:
        """A picture of the whole page."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
        picture = self.command("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(picture["data"]))
