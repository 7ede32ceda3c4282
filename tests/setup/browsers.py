"""A Chromium for the tests of reports: one that is there, or Debian's own package where we may install it.

It is driven over its own pipe (tests/support/browser.py), so no package and no driver comes with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_INSTALL = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", "chromium"]


def installed() -> str | None:
    """Where a Chromium is; DTBENCH_CHROMIUM names another."""
    return os.environ.get("DTBENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def why_not() -> str:
    """What to do where there is none."""
    return "no Chromium is installed: `make browser` as root, or DTBENCH_CHROMIUM=/path/to/one"


def browser_is_there() -> bool:
    """Whether there is one; it is installed where that is ours to do, else a line says why not."""
    if installed():
        return True
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"set-up: going on without a browser: {why_not()}", flush=True)
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], _INSTALL):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"set-up: going on without a browser: {' '.join(_INSTALL)}: {last}", flush=True)
    return installed() is not None
