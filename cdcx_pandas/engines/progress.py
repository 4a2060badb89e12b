"""How far a long question has come: shown to the person, and kept when it breaks off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdcx_pandas.tables import Columns


@dataclass
class Progress:
    """How far a long question has come.

    Attributes
    ----------
    done, total
        Pages answered, and how many there will be as far as is known.
    columns
        The rows of all stretches that are complete so far, in order.
    resume_from
        The start (ns) that continues behind them.
    """

    done: int = 0
    total: int = 0
    columns: Columns = field(default_factory=dict)
    resume_from: int | None = None
