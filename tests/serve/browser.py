"""Headless Chromium, driven over a pipe by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/),
which needs no library.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0
"""Seconds until something that is waited for has failed, on a machine that does much else."""
PIPES = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""The browser reads commands from file 3 and writes to file 4."""
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowDown": 40, "ArrowRight": 39}


def executable() -> str | None:
    """Where the browser is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A process of the browser, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], write_fd: int, read_fd: int) -> None:
        self.process, self._write_fd, self._read_fd = process, write_fd, read_fd
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._changed = threading.Condition()
        self._last = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        rest = b""
        while chunk := os.read(self._read_fd, 2**20):
            *messages, rest = (rest + chunk).split(b"\0")
            with self._changed:
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers[message["id"]] = message
                    else:
                        self._events.setdefault(message.get("sessionId", ""), []).append(message)
                self._changed.notify_all()

    def call(self, method: str, session: str = "", **parameters: Any) -> Any:
        """A command, and what comes back."""
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._write_fd, json.dumps(message).encode() + b"\0")
        with self._changed:
            assert self._changed.wait_for(lambda: number in self._answers, PATIENCE), f"no answer to {method}"
            answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def events(self, session: str, method: str) -> list[dict[str, Any]]:
        """What happened so far."""
        with self._changed:
            return [event["params"] for event in self._events.get(session, []) if event["method"] == method]

    @contextmanager
    def page(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Page]:
        """A tab that shares nothing with others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            page.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        page.call("Emulation.setEmulatedMedia", features=[scheme, still])
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        page.call("Page.navigate", url=address)
        try:
            yield page
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self.session = browser, session

    def call(self, method: str, **parameters: Any) -> Any:
        return self._browser.call(method, self.session, **parameters)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        reply = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in reply, f"{expression}: {reply['exceptionDetails']}"
        return reply["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is something: an element, a number above zero, a text."""
        end = time.monotonic() + PATIENCE
        while (value := self.js(expression)) in (None, False, 0, ""):
            assert time.monotonic() < end, f"never: {expression}\n{self.js('document.body.innerText')}"
            time.sleep(0.05)
        return value

    def text(self, selector: str) -> str:
        return str(self.until(f"document.querySelector({json.dumps(selector)})?.innerText"))

    def click(self, selector: str) -> None:
        self.js(f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, selector: str, value: str) -> None:
        """Type into a field, in the place of what it holds."""
        self.js(f"(e => {{ e.focus(); e.select?.() }})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=value)

    def choose(self, selector: str, value: str) -> None:
        """Take an option of a list, by its text."""
        self.js(
            f"(e => {{ e.value = [...e.options].find(o => o.text === {json.dumps(value)}).value;"
            f" e.dispatchEvent(new Event('change')) }})(document.querySelector({json.dumps(selector)}))"
        )

    def press(self, key: str, times: int = 1, *, shift: bool = False) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {" ": "Space"}.get(key, key)
        about = {"key": key, "code": code, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 * shift}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **about)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def write(self, text: str) -> None:
        """Type at whatever has the focus."""
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, file: Path) -> None:
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def screenshot(self, file: Path, *, whole: bool = True) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        more = {"captureBeyondViewport": True, "clip": clip} if whole else {}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"]))

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        return [event["request"]["url"] for event in self._browser.events(self.session, "Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings on the console: of scripts, of the network, of the policy."""
        entries = [event["entry"] for event in self._browser.events(self.session, "Log.entryAdded")]
        exceptions = self._browser.events(self.session, "Runtime.exceptionThrown")
        calls = self._browser.events(self.session, "Runtime.consoleAPICalled")
        return [
            *(
                f"{entry['level']}: {entry['text']} {entry.get('url', '')}"
                for entry in entries
                if entry["level"] != "verbose"
            ),
            *(str(event["exceptionDetails"].get("exception", event)) for event in exceptions),
            *(str(event["args"]) for event in calls),
        ]


@contextmanager
def browser() -> Iterator[Browser]:
    """A process of its own, which ends with the block."""
    path = executable()
    assert path is not None, "no Chromium; on Debian: apt-get install chromium"
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio"]
    (its_in, our_out), (our_in, its_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", PIPES, str(its_in), str(its_out), path, *options, f"--user-data-dir={folder}"],
            pass_fds=(its_in, its_out),
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC", "LANG": "C.UTF-8"},
        )
        os.close(its_in)
        os.close(its_out)
        instance = Browser(process, our_out, our_in)
        try:
            yield instance
            instance.call("Browser.close")
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(our_out)
