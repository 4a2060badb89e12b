"""One JupyterLab and one browser for all tests in here; skipped where there can be none."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.browser.lab import Lab, missing, running_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Return the JupyterLab; `lab.notebook("cell", ...)` opens a notebook of cells in it."""
    if (why := missing()) is not None:
        pytest.skip(why)
    # pytest's own Python path is not inherited; lab.py sets it for the kernels.
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    with running_lab() as running:
        yield running
