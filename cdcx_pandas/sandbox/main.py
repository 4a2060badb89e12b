"""``cdcx-pandas sandbox``: puts the exchange together and serves it until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cdcx_pandas.errors import CdcxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.rules import Wire
    from cdcx_pandas.sandbox.server import Server

_LATEST_NS = 7_258_118_400 * 10**9
"""The year 2200: well before 64 bits of nanoseconds end, in 2262."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit code."""
    options = _parser().parse_args(argv)
    try:
        return asyncio.run(_serve(options))
    except CdcxError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cdcx-pandas sandbox",
        description="A whole exchange on this machine (127.0.0.1 only). Its data is SIMULATED.",
    )
    add = parser.add_argument
    add("--port", type=_port, default=0, help="port to listen on; 0 takes a free one (default)")
    add("--seed", type=int, default=7, help="which history it has (default 7)")
    add("--speed", type=_number(0), default=1.0, help="how fast its time runs (default 1)")
    add("--at", type=_instant, help="when its time starts: ISO text, UTC, or ns (default now)")
    add("--replay", help="CSV or Parquet of recorded trades or bars, served for --symbol")
    add("--symbol", help="the market of --replay, such as btcusd")
    add(
        "--flat", action="store_true", help="bars without a trade are flat on a replay, today's way"
    )
    add("--json", action="store_true", help="print one JSON line; serve until stdin closes")
    wire = parser.add_argument_group("the wire (on these, servers of this family differ)")
    add = wire.add_argument
    add("--profile", choices=("a", "b"), default="a", help="a as documented, b as seen later")
    add("--ack", action="store_true", help="confirm subscriptions")
    add("--incremental-depth", action="store_true", help="send changes between whole books")
    add("--btc-valuation", action="store_true", help="write btcValuation for btcValuatin")
    add("--trade-list", action="store_true", help="repeat an order's fills as trade_list")
    add("--ping-unit", choices=("ms", "s"), default="ms", help="unit of the ping's number")
    add("--ping-every", type=_number(0.001), default=5.0, metavar="SECONDS", help="default 5")
    add(
        "--heartbeat-every",
        type=_number(0.001),
        default=30.0,
        metavar="SECONDS",
        help="today's ping; default 30",
    )
    add(
        "--push-every",
        type=_number(0.001),
        default=1.0,
        metavar="SECONDS",
        help="V1's cadence, and what today's cadences are multiplied by; default 1",
    )
    add("--clock-window", type=_number(0), default=30.0, metavar="SECONDS", help="default 30")
    add("--all-orders-range", action="store_true", help="order lists span ten minutes at most")
    add("--rate-headers", action="store_true", help="tell what is left of the limits")
    add("--no-limits", action="store_true", help="refuse nobody, to measure a load")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _number(least: float) -> Callable[[str], float]:
    """Return a reader of numbers that are `least` or more, and finite."""

    def read(text: str) -> float:
        with contextlib.suppress(ValueError):
            if least <= float(text) < math.inf:
                return float(text)
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} up")

    return read


def _instant(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) > 17:  # so long only ns are
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 2021-05-01T12:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


async def _serve(options: argparse.Namespace) -> int:
    parent = os.getppid()
    server, about = _build(options)
    try:
        await server.start(options.port)
    except OSError as error:
        print(
            f"Port {options.port} of this machine cannot be used ({error.strerror}).\n"
            "Something else listens there, perhaps another sandbox.\n"
            "Take another one, or --port 0 for any that is free.",
            file=sys.stderr,
        )
        return 1
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, server.stopped.set)
    about = _addresses(server.port) | about
    about["control"] = {
        "url": f"http://127.0.0.1:{server.port}/sandbox",
        "token": server.control_token,
    }
    if options.json:
        print(json.dumps(about), flush=True)
        threading.Thread(target=_until_eof, args=(loop, server, parent), daemon=True).start()
    else:
        _explain(about, options, server)
    try:
        await server.stopped.wait()
    finally:
        await server.stop()
    return 0


def _build(options: argparse.Namespace) -> tuple[Server, dict[str, Any]]:
    """Put the exchange together; heavy parts are imported here, so that --help is quick."""
    from cdcx_pandas.errors import BadRequest, BadTime
    from cdcx_pandas.sandbox.exchange import Exchange
    from cdcx_pandas.sandbox.exchange import Options as ExchangeOptions
    from cdcx_pandas.sandbox.keys import make_keys
    from cdcx_pandas.sandbox.ledger import Ledger
    from cdcx_pandas.sandbox.market import Market
    from cdcx_pandas.sandbox.pairs import HISTORY_BEGINS_NS, PAIRS, TODAYS_PAIRS, derivatives
    from cdcx_pandas.sandbox.server import Options, Server
    from cdcx_pandas.sandbox.synthetic import SyntheticTape
    from cdcx_pandas.transport.clock import ScaledClock

    if (options.replay is None) != (options.symbol is None):
        raise BadRequest("--replay and --symbol go together.", todo="Write both, or none.")
    since_ns = time.time_ns()
    at_ns = since_ns if options.at is None else options.at
    if not (0 if options.replay else HISTORY_BEGINS_NS) <= at_ns < _LATEST_NS:
        raise BadTime(
            "--at is a time the sandbox has not.",
            why="Its history begins 2019-11-14, and it ends before the year 2200.",
        )
    pairs = (*PAIRS, *TODAYS_PAIRS, *derivatives(at_ns))
    markets = {pair.symbol: Market(SyntheticTape(pair, options.seed)) for pair in pairs}
    hidden = {pair.symbol for pair in pairs if pair not in PAIRS}
    if options.replay is not None:
        from cdcx_pandas.sandbox.replay import read_replay

        tape = read_replay(options.replay, options.symbol)
        markets[tape.pair.symbol] = Market(tape)
        hidden.discard(tape.pair.symbol)
    exchange = Exchange(
        markets, Ledger(), seed=options.seed, options=ExchangeOptions(start_ns=at_ns)
    )
    server = Server(
        exchange,
        (_wire_of_v1(options, markets.keys() - hidden), _wire_of_today(options, exchange)),
        ScaledClock(at_ns, since_ns, options.speed),
        Options(
            rate_headers=options.rate_headers,
            short_order_ranges=options.all_orders_range,
            unlimited=options.no_limits,
        ),
    )
    key = make_keys(options.seed)[0]
    return server, {
        "api_key": key.key,
        "api_secret": key.secret,
        "run": exchange.run,
        "clock": {"at": at_ns, "since": since_ns, "speed": options.speed},
    }


def _wire_of_v1(options: argparse.Namespace, listed: AbstractSet[str]) -> Wire:
    """Return how V1 is spoken: it lists what it had in 2020, and what is replayed."""
    from cdcx_pandas.dialects.v1 import V1
    from cdcx_pandas.sandbox.rules import Beats, Line, Wire, v1_rules
    from cdcx_pandas.sandbox.terms import Terms

    dialect = V1(
        profile=options.profile,
        spells_valuation=options.btc_valuation,
        repeats_trade_list=options.trade_list,
        cuts_times=True,
    )
    beats = Beats(options.ping_every, unit_ns=10**9 if options.ping_unit == "s" else 10**6)
    rules = v1_rules(
        acknowledges=options.ack, incremental=options.incremental_depth, pace=options.push_every
    )
    line = Line("/kline-api/ws", rules, beats, turn_s=options.push_every)
    terms = Terms(listed=frozenset(listed))
    return Wire(dialect, "/v1/", terms, (line,), clock_window_s=options.clock_window)


_DAY_NS = 86_400 * 10**9
_TODAYS_ROOT = "/exchange/v1"
_TODAYS_TURN_S, _TODAYS_WINDOW_S = 0.1, 60.0


def _wire_of_today(options: argparse.Namespace, exchange: Exchange) -> Wire:
    """Return how today's API is spoken (docs/protocol-exchange.md)."""
    from cdcx_pandas.dialects.exchange import DIALECT
    from cdcx_pandas.operations import GetSymbols
    from cdcx_pandas.sandbox import rules
    from cdcx_pandas.sandbox.terms import Terms

    terms = Terms(
        windowed=True,
        flat=options.replay is None or options.flat,
        looks_back_ns=_DAY_NS,
        finished_only=True,
        ascending=True,
        newest_first=True,
        open_rows=None,
        page_rows=100,
        keeps_refused=True,
        most_open=(200, 1000),
    )
    listing = exchange.answer(GetSymbols(), exchange.options.start_ns, terms=terms)
    pace = options.push_every
    beats = rules.Beats(options.heartbeat_every, missed=2, together=True, close=1000)
    common: dict[str, Any] = {
        "beats": beats,
        "turn_s": _TODAYS_TURN_S * pace,
        "pace": pace,
        "answers": True,
        "most_channels": rules.MOST_CHANNELS,
    }
    market = rules.Line(
        f"{_TODAYS_ROOT}/market", rules.TODAYS_MARKET, most_requests=rules.MARKET_REQUESTS, **common
    )
    user = rules.Line(
        f"{_TODAYS_ROOT}/user", rules.TODAYS_USER, private=True,
        most_requests=rules.USER_REQUESTS, **common,
    )  # fmt: skip
    return rules.Wire(
        DIALECT.knowing(listing.columns),
        f"{_TODAYS_ROOT}/",
        terms,
        (market, user),
        root=_TODAYS_ROOT,
        clock_window_s=_TODAYS_WINDOW_S,
        refusal={"id": -1, "message": "on order"},
    )


def _addresses(port: int) -> dict[str, Any]:
    host = f"127.0.0.1:{port}"
    return {
        "v1": {"rest": f"http://{host}", "ws": f"ws://{host}/kline-api/ws"},
        "exchange": {
            "rest": f"http://{host}{_TODAYS_ROOT}",
            "market_ws": f"ws://{host}{_TODAYS_ROOT}/market",
            "user_ws": f"ws://{host}{_TODAYS_ROOT}/user",
        },
    }


def _until_eof(loop: asyncio.AbstractEventLoop, server: Server, parent: int) -> None:
    """End with the one who started us: their end of standard input closes, or they are gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        loop.call_soon_threadsafe(server.stopped.set)

    if os.name == "posix":
        threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(server.stopped.set)


# ---------------------------------------------------------------------------- for a person


def _explain(about: dict[str, Any], options: argparse.Namespace, server: Server) -> None:
    """Print what a person needs: addresses, keys, and curl lines to paste."""
    from cdcx_pandas.sandbox import curl
    from cdcx_pandas.sandbox.keys import make_keys

    v1, today = about["v1"], about["exchange"]
    print("SIMULATED: an exchange on this machine. Ctrl-C ends it.\n")
    print(f"V1          {v1['rest']}")
    print(f"  stream    {v1['ws']}")
    print(f"today's     {today['rest']}")
    print(f"  market    {today['market_ws']}")
    print(f"  user      {today['user_ws']}")
    print(f"key         {about['api_key']}")
    print(f"secret      {about['api_secret']}")
    for key in make_keys(options.seed)[1:]:
        print(f"            {key.name}: {key.key} {key.secret}")
    signed = (about["api_key"], about["api_secret"], about["clock"])
    examples = _examples(server)
    for title, lines in (
        ("Market calls", curl.curl_lines(v1["rest"])),
        ("Signed calls (each line signs itself when it runs)",
         curl.signed_curl_lines(v1["rest"], *signed, examples)),
        ("Today's market calls", curl.todays_curl_lines(today["rest"])),
        ("Today's signed calls",
         curl.todays_signed_curl_lines(today["rest"], *signed, examples.get("price", "1000"))),
    ):  # fmt: skip
        print(f"\n{title}:")
        print("\n".join(lines))
    sys.stdout.flush()


def _examples(server: Server) -> dict[str, str]:
    """Return a price at which an order rests, and an open order, so that every line works."""
    from cdcx_pandas.operations import GetOpenOrders, GetTicker
    from cdcx_pandas.sandbox.ledger import USER

    exchange = server.exchange
    now_ns = exchange.options.start_ns
    last = exchange.answer(GetTicker("btcusdt"), now_ns).columns["last"][0]
    found = {} if last is None else {"price": str(int(last / 2))}
    orders = exchange.answer(GetOpenOrders(page_size=1), now_ns, USER).columns
    if orders["id"]:
        found |= {"id": orders["id"][0], "symbol": orders["symbol"][0]}
    return found
