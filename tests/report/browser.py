"""A real Chromium without a window, spoken to through a pipe in its DevTools protocol."""

import fcntl
import json
import os
import select
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = f"none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)"
ABOVE_STANDARD = 10
"""Chromium reads from descriptor 3 and writes to 4; ours must not be these."""
PATIENCE = 120
"""Seconds: other tests may be busy on the same cores."""


def find_browser() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab. `messages` are what its console, its log and its network said."""

    def __init__(self, writer, reader):
        self.writer, self.reader = writer, reader
        self.last, self.session, self.messages, self.read = 0, None, [], b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        answer = self.receive(lambda one: one.get("id") == self.last)
        assert "error" not in answer, answer
        return answer["result"]

    def receive(self, is_awaited):
        while True:
            one = json.loads(self._read())
            if "method" in one:
                self.messages.append(one)
            if is_awaited(one):
                return one

    def _read(self) -> bytes:
        """The next message. A browser that says nothing fails a test instead of holding it up."""
        while b"\0" not in self.read:
            ready, _, _ = select.select([self.reader], [], [], PATIENCE)
            assert ready, f"the browser said nothing for {PATIENCE} s"
            part = os.read(self.reader.fileno(), 1 << 16)
            assert part, "the browser has gone"
            self.read += part
        message, _, self.read = self.read.partition(b"\0")
        return message

    def open(self, file: Path, width: int, *, dark: bool = False) -> None:
        self.messages.clear()
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=file.as_uri())
        if not any(one["method"] == "Page.loadEventFired" for one in self.messages):
            self.receive(lambda one: one.get("method") == "Page.loadEventFired")

    def value(self, expression: str):
        """Of a JavaScript expression in the page, as JSON carries it."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def complaints(self) -> list[dict]:
        """Errors and messages of the console."""
        kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [one for one in self.messages if one["method"] in kinds]

    def fetched(self) -> list[str]:
        requests = (one for one in self.messages if one["method"] == "Network.requestWillBeSent")
        return [one["params"]["request"]["url"] for one in requests]

    def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(b64decode(shot["data"]))


@contextmanager
def browser_page(program: str, profile: Path) -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    given = [fcntl.fcntl(fd, fcntl.F_DUPFD, ABOVE_STANDARD) for fd in (theirs_in, theirs_out)]
    options = ["--headless", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    options += [f"--user-data-dir={profile}", "--hide-scrollbars"]
    script = f'exec "$0" "$@" 3<&{given[0]} 4>&{given[1]}'
    command = ["bash", "-c", script, program, *options]
    silent = subprocess.DEVNULL
    with (
        os.fdopen(ours_out, "wb") as writer,
        os.fdopen(ours_in, "rb", buffering=0) as reader,
        subprocess.Popen(command, pass_fds=given, stdout=silent, stderr=silent) as process,
    ):
        for fd in (theirs_in, theirs_out, *given):
            os.close(fd)
        try:
            page = Page(writer, reader)
            yield page
            page.session = None
            page.ask("Browser.close")
            process.wait(timeout=20)
        finally:
            if process.poll() is None:
                process.kill()
