"""Headless Chromium for tests, driven over the DevTools protocol and limited to this machine."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

from tests.missing import skip_or_fail

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1440,900",
    "--remote-debugging-port=0",
)
Message = dict[str, Any]


class Page:
    """A tab of the browser.

    `requests` has the URLs that the tab and its workers requested. `problems` has their uncaught exceptions, console
    errors, violations of the content security policy, and failed responses.
    """

    def __init__(self, browser: "Chromium", session: str) -> None:
        """Attach to the session of an open tab."""
        self.requests: list[str] = []
        self.problems: list[str] = []
        self._browser = browser
        self._session = session

    def go(self, url: str) -> None:
        """Open the URL in this tab, without waiting until it is loaded."""
        self._send("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Evaluate a JavaScript expression, and await its promise; raise AssertionError if it throws."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 20) -> Any:
        """Wait until the expression is truthy and return its value; raise AssertionError after a timeout."""
        deadline = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"not true in time: {expression}\n{self.problems}"
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        """Wait for an element that matches the CSS selector, scroll it into view and click its centre."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{element} && ({element}.scrollIntoView({{block: 'nearest', inline: 'nearest'}}), true)")
        box = self.wait_for(f"{element}?.getBoundingClientRect().toJSON()")
        for event in ("mousePressed", "mouseReleased"):
            x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            self._send("Input.dispatchMouseEvent", type=event, x=x, y=y, button="left", clickCount=1)

    def type_text(self, text: str) -> None:
        """Type the text into the focused element."""
        self._send("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """Write a screenshot of the tab, as a PNG."""
        path.write_bytes(base64.b64decode(self._send("Page.captureScreenshot", format="png")["data"]))

    def _send(self, method: str, **parameters: object) -> Message:
        return self._browser.send(method, self._session, **parameters)

    def on_event(self, message: Message) -> None:
        """Record the request or problem of an event."""
        parameters = message["params"]
        match message["method"]:
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(parameters["url"])
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.problems.append(f"{details['text']} {details.get('exception', {}).get('description', '')}")
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "assert"}:
                self.problems.append(" ".join(str(a.get("value", a.get("description"))) for a in parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


class Chromium:
    """The browser, with a new and empty profile. A context manager."""

    def __enter__(self) -> Self:
        """Start the browser; skip or fail the test if there is no Chromium."""
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            skip_or_fail("no Chromium is installed (Debian: apt-get install chromium)")
        self._pages: dict[str, Page] = {}
        self._sent = 0
        with ExitStack() as stack:
            profile = tempfile.TemporaryDirectory(prefix="atoll-chromium-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(profile))
            stack.enter_context(_running([program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]))
            self._socket = stack.enter_context(_connected(folder / "DevToolsActivePort"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the browser and remove its profile."""
        self._stack.close()

    def open(self, url: str) -> Page:
        """Open the URL in a new tab with its own storage; return the tab without waiting until it is loaded."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        self._watch(session)
        page.go(url)
        return page

    def send(self, method: str, session: str | None = None, **parameters: object) -> Message:
        """Send a command and return its result; pass events that arrive before the result to their pages."""
        sent = self._post(method, session, parameters)
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == sent:
                assert "error" not in message, f"{method}: {message['error']}"
                result: Message = message["result"]
                return result
            if "method" in message:
                self._on_event(message)

    def _post(self, method: str, session: str | None, parameters: Message) -> int:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        return self._sent

    def _on_event(self, message: Message) -> None:
        page = self._pages.get(message.get("sessionId", ""))
        if page is None:
            return
        if message["method"] == "Target.attachedToTarget":
            worker = message["params"]["sessionId"]
            self._pages[worker] = page
            self._watch(worker)
        page.on_event(message)

    def _watch(self, session: str) -> None:
        """Subscribe to the events of a tab or a worker, before it runs its first line."""
        for domain in ("Runtime", "Log", "Network", "Page"):
            self._post(f"{domain}.enable", session, {})
        attach = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        self._post("Target.setAutoAttach", session, attach)
        self._post("Runtime.runIfWaitingForDebugger", session, {})


@contextmanager
def _running(words: list[str]) -> Iterator[None]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _connected(port_file: Path) -> ClientConnection:
    """Connect to the browser, which writes its port and path to the file once it listens."""
    deadline = time.monotonic() + 30
    while not (port_file.exists() and "\n" in port_file.read_text()):
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    port, path = port_file.read_text().splitlines()
    return connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None)
