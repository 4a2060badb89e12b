"""The notebooks run from top to bottom, without network."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # the kernel's own libraries warn
@pytest.mark.parametrize("dialect", ["v1", "exchange"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_runs(path: Path, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs whatever the venue speaks, and the cells that should show something do."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # untyped
    for cell in notebook.cells:
        cell.source = cell.source.replace("use(VENUE", f"use(VENUE, dialect={dialect!r}")
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell for cell in codes if cell.outputs]
    assert len(shown) >= len(codes) - 1
    text = str(notebook)
    assert "image/png" in text
    assert "'simulated': True" in text
    assert "api_secret" not in text


def test_notebooks_are_kept_without_outputs() -> None:
    """What runs make is not kept: a notebook in the repository shows code and prose."""
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # untyped
        assert all(not cell.get("outputs") for cell in notebook.cells)
