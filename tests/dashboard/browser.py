"""A real Chromium: the system's own, driven by playwright. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.util import find_spec

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def executable():
    return next((path for path in map(shutil.which, NAMES) if path), None)


def missing():
    """Why no browser can be driven here; nothing where one can."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if executable() else f"no Chromium is installed: none of {', '.join(NAMES)}"


@contextmanager
def chromium():
    """A browser, and its end."""
    from playwright.sync_api import sync_playwright

    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # root has no sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=arguments, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()
