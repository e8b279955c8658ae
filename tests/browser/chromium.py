"""Where a Chromium is, or why there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
INSTALL_LIMIT = 600


class NoChromium(Exception):
    """There is no Chromium; the message says what was tried."""


def find_chromium() -> str:
    """The path of a Chromium: the one of `CHROMIUM`, one on the PATH, or one installed just now."""
    named = os.environ.get("CHROMIUM")
    if named:
        if shutil.which(named):
            return named
        raise NoChromium(f"CHROMIUM names {named}, which cannot be run")
    return _on_path() or _by_playwright() or _by_apt() or _none()


def _on_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _by_playwright() -> str | None:
    if not _succeeds([sys.executable, "-m", "playwright", "install", "chromium"]):
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() and _succeeds([path, "--version"]) else None


def _by_apt() -> str | None:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not is_root or not shutil.which("apt-get"):
        return None
    _succeeds(["apt-get", "update"])
    _succeeds(["apt-get", "install", "-y", "--no-install-recommends", "chromium"])
    return _on_path()


def _none() -> str:
    raise NoChromium(
        "no Chromium on the PATH, and neither `playwright install chromium` nor (as root) "
        "`apt-get install chromium` gave one; install it, or name it in CHROMIUM"
    )


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=INSTALL_LIMIT).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def main() -> None:
    """Have a Chromium ready before the tests begin, whose time limits are no time to install one."""
    try:
        print(f"Chromium for the page's tests: {find_chromium()}")
    except NoChromium as error:
        print(f"The page's tests will not run: {error}")


if __name__ == "__main__":
    main()
