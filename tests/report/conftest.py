"""A headless Chromium for the pages under test; tests skip where there is none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from headless import FLAGS, resize
from runs import real_run

from backdoor_curves.report import write_report


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """A function that writes the page of a real run, once, and returns its path."""
    folder = tmp_path_factory.mktemp("pages")

    def page(name: str) -> Path:
        path = folder / f"{name}.html"
        return path if path.exists() else write_report(real_run(name), path, command="backdoor-curves report")

    return page


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser for the session."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(chromium):
    """The browser with an empty page, a wide window, light colours, and nothing logged."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    resize(chromium, 1360)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, from the file that AXE_CORE names."""
    path = os.environ.get("AXE_CORE", "")
    if not Path(path).is_file():
        pytest.skip("AXE_CORE names no file; npm pack axe-core brings package/axe.min.js")
    return Path(path).read_text(encoding="utf-8")
