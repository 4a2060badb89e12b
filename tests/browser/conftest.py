"""One JupyterLab and one browser for all tests in here; skipped where there can be none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.lab import Lab, missing, running_lab


# Not for the session: while Playwright lives, its event loop counts as running in this thread,
# and tests elsewhere have loops of their own.
@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """Return the JupyterLab; `lab.notebook("cell", ...)` opens a notebook of cells in it."""
    if (why := missing()) is not None:
        pytest.skip(why)
    with running_lab() as running:
        yield running
