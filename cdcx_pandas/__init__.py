"""The Crypto.com Exchange in pandas, for people who think in notebooks.

>>> import cdcx_pandas as cdcx
>>> session = cdcx.use("sandbox")
>>> df = cdcx.klines("btcusdt", "1hour")

The public names are those of ``__all__``. They are loaded when they are first used, so that
importing the package costs little; plotting and the sandbox's server load later still.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cdcx_pandas.about import VERSION

if TYPE_CHECKING:
    from cdcx_pandas import errors as errors  # a module, reached as cdcx.errors
    from cdcx_pandas.accounts import (
        account,
        fees,
        my_trades,
        open_orders,
        order,
        order_history,
        positions,
    )
    from cdcx_pandas.credentials import Credentials
    from cdcx_pandas.errors import CdcxError, Interrupted, RateLimited, UnknownSymbol, Unsupported
    from cdcx_pandas.marketdata import (
        depth,
        funding,
        klines,
        limits,
        symbols,
        ticker,
        tickers,
        trades,
    )
    from cdcx_pandas.provenance import concat
    from cdcx_pandas.session import Session, use
    from cdcx_pandas.streaming.live import Live
    from cdcx_pandas.streaming.opening import live, replay
    from cdcx_pandas.venues import Venue

__version__ = VERSION

__all__ = [
    "CdcxError",
    "Credentials",
    "Interrupted",
    "Live",
    "RateLimited",
    "Session",
    "UnknownSymbol",
    "Unsupported",
    "Venue",
    "account",
    "concat",
    "depth",
    "fees",
    "funding",
    "klines",
    "limits",
    "live",
    "my_trades",
    "open_orders",
    "order",
    "order_history",
    "positions",
    "replay",
    "symbols",
    "ticker",
    "tickers",
    "trades",
    "use",
]

_HOMES = {
    "account": "accounts",
    "fees": "accounts",
    "my_trades": "accounts",
    "open_orders": "accounts",
    "order": "accounts",
    "order_history": "accounts",
    "positions": "accounts",
    "Credentials": "credentials",
    "CdcxError": "errors",
    "Interrupted": "errors",
    "RateLimited": "errors",
    "UnknownSymbol": "errors",
    "Unsupported": "errors",
    "depth": "marketdata",
    "funding": "marketdata",
    "klines": "marketdata",
    "limits": "marketdata",
    "symbols": "marketdata",
    "ticker": "marketdata",
    "tickers": "marketdata",
    "trades": "marketdata",
    "concat": "provenance",
    "Session": "session",
    "use": "session",
    "Live": "streaming.live",
    "live": "streaming.opening",
    "replay": "streaming.opening",
    "Venue": "venues",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    home = _HOMES.get(name)
    if home is None and name != "errors":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"cdcx_pandas.{home or name}")
    value = module if home is None else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
