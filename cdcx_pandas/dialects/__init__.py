"""The dialects: how venues speak, as pure functions. One folder each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE_DIALECT
from cdcx_pandas.dialects.v1 import DIALECT as V1_DIALECT

if TYPE_CHECKING:
    from cdcx_pandas.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {"exchange": EXCHANGE_DIALECT, "v1": V1_DIALECT}
"""Every dialect by its name; a third one is a folder and a row here."""
