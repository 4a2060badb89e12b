"""The guide's code blocks run and show what they say; the other pages' blocks run."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import session as sessions

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_ONLY_FIRST_FAILURE


@pytest.fixture(autouse=True)
def _own_default() -> Iterator[None]:
    before = sessions._default
    with pd.option_context("display.width", 120, "display.max_columns", 12):
        yield
    sessions._default = before


def blocks(path: Path) -> list[str]:
    """Return the Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("name", "least"), [("guide.md", 35), ("recipes.md", 20)])
def test_every_result_of_the_pages_is_what_the_call_gives(name: str, least: int) -> None:
    """Each call runs on the sandbox and gives the result, or the error's text, beside it."""
    page = ROOT / "docs" / name
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks(page)), {}, page.name, str(page), 0
    )
    assert len(examples.examples) > least
    said: list[str] = []
    failed = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=said.append)
    assert failed.failed == 0, "".join(said)


def test_every_statement_of_the_guide_has_a_place() -> None:
    """The 28 statements are all told: built, or listed as not built yet."""
    text = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    told: set[int] = set()
    for first, last in re.findall(r"^## (\d+)(?: to (\d+))?\.", text, re.MULTILINE):
        told |= set(range(int(first), int(last or first) + 1))
    for numbers in re.findall(r"^\| ([\d, -]+) \|", text, re.MULTILINE):
        for part in numbers.split(","):
            first, _, last = part.strip().partition("-")
            told |= set(range(int(first), int(last or first) + 1))
    assert told >= set(range(1, 29))


def test_the_guide_names_tests_that_exist() -> None:
    """Every test the guide points to is there."""
    text = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", text):
        assert (ROOT / name).exists(), name
    for file, test in re.findall(r"`(test_\w+\.py)::(test_\w+)`", text):
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("page", ["README.md"])
def test_the_code_of_the_pages_runs(page: str, sandbox: sessions.Session) -> None:
    """Blocks for people run as they stand, on the sandbox."""
    names: dict[str, object] = {"cdcx": cdcx}
    ran = 0
    for block in blocks(ROOT / page):
        if "cdcx.use(venue" in block:
            continue  # a server of the reader's own
        exec(compile(block, page, "exec"), names)  # noqa: S102  # the page is ours
        sessions._default = sandbox
        ran += 1
    assert ran >= 3


def test_examples_in_docstrings_run() -> None:
    """Every example of the reference runs offline and shows what it says."""
    from cdcx_pandas import accounts, arguments, marketdata, periods, provenance, venues

    with cdcx.use("sandbox"):
        for module in (accounts, arguments, marketdata, periods, provenance, venues, sessions):
            names = {name: getattr(cdcx, name) for name in cdcx.__all__} | vars(module)
            for test in doctest.DocTestFinder().find(module, globs=names):
                said: list[str] = []
                result = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
                assert result.failed == 0, "".join(said)
