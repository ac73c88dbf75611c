"""How the browser of the tests is started and sized."""

from __future__ import annotations

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",  # a click must not meet a page that still scrolls
)


def resize(chrome, width: int, height: int = 900, scale: float = 1.0) -> None:
    """Give the page a size in CSS pixels; half the width at scale 2 is a zoom of 200 %."""
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
