"""The generated pages say what the source says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def generator() -> ModuleType:
    """Load docs/generate.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["support.md", "reference.md"])
def test_the_page_is_what_would_be_written(name: str) -> None:
    """If not: make docs."""
    assert (DOCS / name).read_text("utf-8") == generator().PAGES[name]()


def test_the_matrix_names_every_function_that_asks() -> None:
    """No public reading function is left out of the support matrix."""
    import cdcx_pandas as cdcx

    made = generator()
    told = {call.partition("(")[0] for call in (*made.QUESTIONS, *made.STREAMS)}
    no_question = {"concat", "limits", "replay", "use"}
    functions = {name for name in cdcx.__all__ if name.islower()} - no_question
    assert functions <= told
