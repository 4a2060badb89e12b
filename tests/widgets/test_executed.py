"""Notebooks that nobody looks at while they run: what is left in the file."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
from cdcx_pandas.widgets import view
from tests.widgets.fake_source import FakeSource
source = FakeSource(rate=100)
view.show(source)
"""
LOUD = """
import threading, time
time.sleep(0.5)
source.raises = RuntimeError("broken")
time.sleep(0.5)
source.raises = None
"""
QUIET_END = "source.stop()"


@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn
def test_a_stopped_view_leaves_its_picture_in_an_executed_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its threads write into no cell, and the page that nbconvert makes of it shows the picture."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = [nbformat.v4.new_code_cell(text) for text in (SHOW, LOUD, QUIET_END)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown, loud, end = (cell.outputs for cell in notebook.cells)
    (picture,) = shown
    assert set(picture.data) == {"text/plain", "text/html", "image/png"}
    assert loud == []
    assert end == []
    page, _ = HTMLExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]  # untyped
    assert page.count(' src="data:image/png;base64,') == 1
    assert '<script type="application/vnd.jupyter.widget-view' not in page
    assert picture.data["image/png"][:1000].replace("\n", "") in page
