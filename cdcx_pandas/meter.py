"""The bar a person sees when a question takes longer than two seconds.

What has been done is counted by the engine; here it is only shown. A thread looks now and
then, so that the questions themselves know nothing of it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cdcx_pandas.engines.progress import Progress

AFTER_S = 2.0
EVERY_S = 0.2


@contextmanager
def meter(progress: Progress, label: str, *, after_s: float = AFTER_S) -> Iterator[None]:
    """Show a bar with a forecast on standard error while the block runs, if it runs long."""
    over = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(progress, label, over, after_s), name="cdcx-meter", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(progress: Progress, label: str, over: threading.Event, after_s: float) -> None:
    if over.wait(after_s):
        return
    from tqdm.auto import tqdm

    with tqdm(total=progress.total, desc=label, unit="page", leave=False) as bar:
        bar.start_t -= after_s  # the question began before its bar, and its speed counts from there
        while True:
            bar.n = progress.done
            bar.refresh()
            if over.wait(EVERY_S):
                return
