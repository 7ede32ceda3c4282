"""A real headless Chromium, driven over its own pipe by the DevTools protocol: nothing to install beside it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from browsers import installed

PATIENCE = 300.0
READY = "document.documentElement?.dataset.ready === 'yes'"
"""Whether a page has drawn itself."""
PHONE = (390, 844)
DESK = (1280, 900)
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update"),
    *("--mute-audio", "--force-color-profile=srgb", "--remote-debugging-pipe"),
)


class BrowserError(Exception):
    """The browser did not do what it was asked for."""


class Browser:
    """One page of it."""

    def __init__(self, process: subprocess.Popen[bytes], down: int, up: int) -> None:
        self._process = process
        self._down, self._up = down, up
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._events: deque[dict[str, Any]] = deque()
        self.problems: list[str] = []
        """What the page's console and its policy complained of."""
        self.asked: list[str] = []
        """The URLs that were asked for."""

    def attach(self) -> None:
        """Begin with an empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and what it returns."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._down, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                if "error" in told:
                    raise BrowserError(f"{method}: {told['error']['message']}")
                return dict(told["result"])
            self._note(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._up], [], [], 2 * PATIENCE)[0]:
                raise BrowserError(f"the browser says nothing; {self.problems}")
            part = os.read(self._up, 1 << 20)
            if not part:
                raise BrowserError(f"the browser ended ({self._process.poll()})")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(line))

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.problems.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if told["type"] in {"error", "assert"}:
                self.problems.append(str([one.get("value") for one in told["args"]]))
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.problems.append(f"a dialog: {told['message']}")

    def size(self, width: int, height: int) -> None:
        """The size of the window in CSS pixels; a phone where it is narrow."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def dark(self, *, wanted: bool) -> None:
        """What the user's system prefers."""
        value = "dark" if wanted else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def open(self, page: Path, fragment: str = "") -> None:
        """A file of a report, as from disk, until its samples are there."""
        self.visit(page.resolve().as_uri() + fragment)
        self.settle()

    def visit(self, url: str, ready: str = READY) -> None:
        """A page, until it is ready; what the one before says of its server's end is none of its problems."""
        self.call("Page.navigate", url="about:blank")
        self.until("location.href === 'about:blank'")
        self.problems.clear()
        self.asked.clear()
        self.call("Page.navigate", url=url)
        self.until(ready)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        if "exceptionDetails" in told:
            raise BrowserError(told["exceptionDetails"].get("exception", {}).get("description", script))
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Look again and again until it is so."""
        patience = time.monotonic() + PATIENCE
        while not self.run(script):
            if time.monotonic() > patience:
                raise BrowserError(f"it never came: {script}; {self.problems}")
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until nothing is being unpacked or searched any more."""
        self.until("!document.querySelector('[aria-busy=true]')")

    def text(self, selector: str) -> str:
        """The text of an element as it is seen, once all of it is there."""
        self.settle()
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """A click on the first element that the selector finds."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.settle()

    def press(self, key: str) -> None:
        """A key, down and up."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **(text if kind == "keyDown" else {}))
        self.settle()

    def choose(self, label: str, value: str) -> None:
        """A value of the select of this label."""
        find = f"document.querySelector('select[aria-label={json.dumps(label)}]')"
        self.run(f"(s => {{ s.value = {json.dumps(value)}; s.dispatchEvent(new Event('change')) }})({find})")
        self.settle()

    def search(self, words: str) -> None:
        """Words typed into the field for searching."""
        self.run(
            f"(s => {{ s.value = {json.dumps(words)}; s.dispatchEvent(new Event('input')) }})"
            f"(document.getElementById('search'))"
        )
        self.settle()

    def screenshot(self, path: Path) -> None:
        """What is seen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile, ended at the end of the block."""
    program = installed()
    if program is None:
        raise BrowserError("there is no Chromium")
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    # The browser reads commands from descriptor 3 and answers on 4.
    script = f'exec "$@" 3<&{down_read} 4>&{up_write}'
    command = ["bash", "-c", script, "browser", program, *_OPTIONS, f"--user-data-dir={profile}"]
    with (profile.parent / "browser.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=(down_read, up_write), stdout=log, stderr=log)
    os.close(down_read)
    os.close(up_write)
    browser = Browser(process, down_write, up_read)
    try:
        browser.attach()
        yield browser
    finally:
        os.close(down_write)  # it ends when its pipe does
        os.close(up_read)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
