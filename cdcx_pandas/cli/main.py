"""``cdcx-pandas``: what the command line understands, and the demo.

Each command is a function call or two; what they do is told in the functions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cdcx_pandas.about import VERSION
from cdcx_pandas.errors import CdcxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

PICTURE = Path("demo") / "btcusdt-1hour.png"
_ROWS = 6


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code (0 done, 1 failed, 2 misunderstood)."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["sandbox"]:  # its options are its own
        from cdcx_pandas.sandbox.main import main as sandbox

        return sandbox(given[1:])
    options = _parser().parse_args(given)
    try:
        return int(options.run())
    except CdcxError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cdcx-pandas",
        description="The Crypto.com Exchange in pandas. (`cdcx` is the exchange's own tool.)",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo", help="a first look: an exchange on this machine, its frames and a picture"
    )
    demo.set_defaults(run=run_demo)
    commands.add_parser(
        "sandbox", help="serve an exchange on this machine; see cdcx-pandas sandbox --help"
    )
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"cdcx-pandas {VERSION} (pandas {version('pandas')})"


def run_demo() -> int:
    """Show, on a sandbox, each call above its result; write a candle chart."""
    from cdcx_pandas.accounts import account, order_history
    from cdcx_pandas.marketdata import depth, klines, symbols, tickers, trades
    from cdcx_pandas.session import use

    print("A whole exchange on this machine. Its data is SIMULATED; no network, no account.\n")
    with use("sandbox"):
        print('>>> cdcx.use("sandbox")\n')
        bars = _show('klines("btcusdt", "1hour")', lambda: klines("btcusdt", "1hour"))
        _show("symbols()", symbols)
        _show("tickers()", tickers)
        _show('trades("btcusdt")', lambda: trades("btcusdt"))
        _show('depth("btcusdt", levels=3)', lambda: depth("btcusdt", levels=3))
        _show("account()", account)
        _show('order_history("btcusdt")', lambda: order_history("btcusdt"))
        _write_picture(bars)
    print(f"A picture of the first frame: {PICTURE.resolve()}")
    print("Next: make lab, or put cdcx.use('sandbox') into a notebook of your own.")
    return 0


def _show(call: str, run: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Print a call above its result."""
    import pandas as pd

    print(f">>> cdcx.{call}")
    frame = run()
    with pd.option_context("display.width", 118, "display.float_format", "{:.10g}".format):
        print(frame.to_string(max_rows=_ROWS, max_cols=12, show_dimensions=True), end="\n\n")
    return frame


def _write_picture(bars: pd.DataFrame) -> None:
    from cdcx_pandas.charts.candles import klines_figure

    PICTURE.parent.mkdir(exist_ok=True)
    klines_figure(bars).savefig(PICTURE, dpi=130)
