"""A real JupyterLab in a headless Chromium: started once, driven by what its own model says.

Notebooks are made of given cells, each in a kernel of its own. Every request to another machine
is refused and counted. What is waited for is state (kernel idle, cell done, counter moved),
never time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nbformat

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
OPEN_S = 30

# The kernel of the notebook that is shown is connected and has nothing to do.
IDLE = """() => {
  const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
  return !!kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
RUN = """async (index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = index;
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
START = """(index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.activeCellIndex = index;
  window.jupyterapp.commands.execute('notebook:run-cell');
}"""
OPEN = """async (name) => {
  const widget = await window.jupyterapp.commands.execute('docmanager:open', {path: name});
  await widget.context.ready;
  window.jupyterapp.shell.activateById(widget.id);
}"""
# Ends the kernel and forgets the notebook, without asking whether to save it.
CLOSE = """async () => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  await panel?.sessionContext?.shutdown();
  panel?.dispose();
}"""
END_KERNEL = """() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"""
OUTPUTS = """(index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel.content.widgets[index].model.outputs.toJSON();
}"""


def missing() -> str | None:
    """Return why there can be no browser here, None when there can."""
    try:
        import jupyterlab  # noqa: F401  # asked for, not used
        import playwright  # noqa: F401  # as above
    except ImportError as error:
        return f"{error.name} is not installed: pip install 'cdcx-pandas[test]'"
    return None if CHROMIUM else "Chromium is not installed: apt-get install chromium"


class Lab:
    """One JupyterLab server and one browser.

    Attributes
    ----------
    foreign
        Addresses of other machines that a page asked for; all were refused.
    """

    def __init__(self, folder: Path, context: Any, address: str) -> None:
        self.folder, self.address = folder, address
        self.foreign: list[str] = []
        self._context = context
        self._free: list[Any] = []
        self._number = 0
        context.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), self._refuse)

    def _refuse(self, route: Any) -> None:
        self.foreign.append(route.request.url)
        route.abort()

    @contextmanager
    def notebook(self, *cells: str, width: int = 1400, height: int = 900) -> Iterator[Notebook]:
        """Open a new notebook of these cells; its kernel ends with the block."""
        self._number += 1
        name = f"n{self._number}.ipynb"
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(made, self.folder / name)
        with self.open(name, width=width, height=height) as notebook:
            yield notebook

    @contextmanager
    def open(self, name: str, *, width: int = 1400, height: int = 900) -> Iterator[Notebook]:
        """Open a notebook that exists, in a page that is there already when one is free."""
        page, is_new = (self._free.pop(), False) if self._free else (self._context.new_page(), True)
        page.set_viewport_size({"width": width, "height": height})
        notebook = Notebook(self, page, self.folder / name)
        try:
            if is_new:
                notebook.load()
            else:
                page.evaluate(OPEN, name)
                page.wait_for_function(IDLE, timeout=OPEN_S * 1000)
            yield notebook
            page.evaluate(CLOSE)
            self._free.append(page)
        except BaseException:
            page.close()
            raise


class Notebook:
    """One notebook on the screen."""

    def __init__(self, lab: Lab, page: Any, path: Path) -> None:
        self.lab, self.page, self.path = lab, page, path

    def load(self) -> None:
        """Go to the notebook and wait for its kernel; once more if that takes too long."""
        url = f"{self.lab.address}/doc/tree/{self.path.name}"
        for attempt in range(2):
            self.page.goto(url)
            try:
                self.page.wait_for_function(IDLE, timeout=OPEN_S * 1000)
            except Exception:
                if attempt:
                    raise
            else:
                return

    def run(self, index: int) -> list[dict[str, Any]]:
        """Run a cell to its end and return its outputs, as the notebook would save them."""
        self.page.evaluate(RUN, index)
        outputs: list[dict[str, Any]] = self.page.evaluate(OUTPUTS, index)
        return outputs

    def start(self, index: int) -> None:
        """Run a cell without waiting for it."""
        self.page.evaluate(START, index)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs."""
        outputs: list[dict[str, Any]] = self.page.evaluate(OUTPUTS, index)
        return outputs

    def save(self) -> None:
        """Save the notebook to disk."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")

    def data(self, name: str, *, nth: int = 0) -> str:
        """Return a data attribute of the live view: frames, state, last, paused, bars, lag, ..."""
        view = self.page.locator(".cdcx-live").nth(nth)
        return view.get_attribute(f"data-{name}", timeout=10_000) or ""

    def until(self, condition: str, *, timeout: float = 10) -> None:
        """Wait for JavaScript about `view`, the first live view's element, to be true."""
        script = (
            f"() => {{ const view = document.querySelector('.cdcx-live'); return {condition}; }}"
        )
        self.page.wait_for_function(script, timeout=timeout * 1000)

    def until_frames(self, count: int, *, timeout: float = 10) -> None:
        """Wait until the view has drawn so many frames more."""
        frames = int(self.data("frames") or 0) + count
        self.until(f"Number(view?.dataset.frames) >= {frames}", timeout=timeout)

    def picture(self, name: str) -> Path:
        """Keep a screenshot for people to look at; no test compares it."""
        folder = Path(os.environ.get("CDCX_SCREENSHOTS", self.lab.folder / "screenshots"))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        self.page.screenshot(path=str(path))
        return path

    def end_kernel(self) -> None:
        """End the kernel, by its own API."""
        self.page.evaluate(END_KERNEL)


@contextmanager
def running_lab() -> Iterator[Lab]:
    """Start a server and a browser with settings of their own; end both, and only them."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="cdcx-lab-") as name:
        home = Path(name)
        (home / "notebooks").mkdir()
        port = free_port()
        server = start_server(home, port)
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/status"), 30)
            with sync_playwright() as playwright:
                context = playwright.chromium.launch_persistent_context(
                    str(home / "browser"), executable_path=CHROMIUM, headless=True, args=FLAGS
                )
                yield Lab(home / "notebooks", context, f"http://127.0.0.1:{port}")
                context.close()
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(home: Path, port: int) -> subprocess.Popen[bytes]:
    """Start JupyterLab with folders of its own, so that nobody's settings matter."""
    settings = home / "settings" / "@jupyterlab"
    write_settings(settings / "apputils-extension" / "notification.jupyterlab-settings",
                   {"fetchNews": "false", "checkForUpdates": False})  # fmt: skip
    write_settings(settings / "docmanager-extension" / "plugin.jupyterlab-settings",
                   {"autosave": False})  # fmt: skip
    write_settings(settings / "notebook-extension" / "tracker.jupyterlab-settings",
                   {"windowingMode": "none"})  # fmt: skip
    folders = ("CONFIG_DIR", "RUNTIME_DIR", "DATA_DIR")
    environment = os.environ | {f"JUPYTER_{f}": str(home / f.lower()) for f in folders}
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }
    options = [
        "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={home / 'notebooks'}",
    ]  # fmt: skip
    with (home / "server.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env=environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Write settings where JupyterLab looks for a person's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))


def answers(url: str) -> bool:
    """Return whether a server answers."""
    try:
        with urlopen(url, timeout=1) as answer:  # noqa: S310  # our own machine
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
