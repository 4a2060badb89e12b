"""`live` and `replay`: what a person asks for, made exact at the door, and started."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cdcx_pandas import errors as e
from cdcx_pandas import launch
from cdcx_pandas.arguments import to_limit, to_period, to_step, to_symbols
from cdcx_pandas.engines.reconnect import Policy
from cdcx_pandas.engines.watch import EVERYTHING, MARKET, USER, Plan, Watch
from cdcx_pandas.session import Session, current_session
from cdcx_pandas.streaming import registry
from cdcx_pandas.streaming.driver import Driver
from cdcx_pandas.streaming.live import Live
from cdcx_pandas.streaming.player import Player
from cdcx_pandas.streaming.recording import Recorder, read_header
from cdcx_pandas.venues import Venue, credentials_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from decimal import Decimal

    from cdcx_pandas.arguments import Period
    from cdcx_pandas.tables import Columns

_LISTED = ("symbol", "venue_symbol", "base", "quote", "kind", "price_precision", "amount_precision")


@dataclass(frozen=True, eq=False)
class Wish:
    """What was asked for, and how to ask for another like it.

    Attributes
    ----------
    step
        How coarsely the prices of books are merged.
    periods, pickable
        What else could be watched.
    listing
        The venue's markets.
    """

    step: int
    periods: tuple[str, ...]
    pickable: tuple[str, ...]
    listing: Columns
    again: dict[str, Any]
    sandbox: launch.Running | None = None

    @property
    def can_cut(self) -> bool:
        """Whether the wire is ours to cut."""
        return self.sandbox is not None

    def cut(self) -> None:
        """Cut the wire of the sandbox."""
        if self.sandbox is None:
            raise e.Unsupported("Only the wire of a sandbox of this kernel can be cut.")
        self.sandbox.cut()

    def other(self, symbol: str, period: str) -> Live:
        """Return the `Live` of another market or period."""
        if not self.again:
            raise e.Unsupported("A recording holds what was recorded, and nothing else.")
        return _opened(symbol, period, is_guest=True, **self.again)

    def decimals(self, symbol: str) -> dict[str, int]:
        """Return how many decimals prices and amounts of a market have."""
        if symbol not in self.listing["symbol"]:
            return {"price": 2, "amount": 4}  # of everything
        at = self.listing["symbol"].index(symbol)
        price, amount = (self.listing[f"{name}_precision"][at] for name in ("price", "amount"))
        return {"price": 2 if price is None else price, "amount": 4 if amount is None else amount}


def live(
    symbols: str | Iterable[str],
    period: Period = "1min",
    *,
    channels: Iterable[str] = MARKET,
    step: int | str | None = None,
    window: int = 5000,
    record: str | os.PathLike[str] | None = None,
    session: Session | None = None,
    policy: Policy | None = None,
) -> Live:
    """Watch markets: threads fill rolling frames while the notebook stays free.

    Parameters
    ----------
    symbols
        A market in any spelling, a list of them, or ``"*"``: the ticker of every market.
    period
        Of the klines, as `klines` takes it.
    channels
        Of ``"klines"``, ``"trades"``, ``"depth"``, ``"ticker"``, and where the venue streams them
        ``"orders"``, ``"my_trades"``, ``"account"`` (with a key).
    step
        Prices of the book merged as `depth` does.
    window
        How many rows are kept of klines and of trades; arrays take 256 MB at most.
    record
        A new file, for every frame as received and what the venue was asked, to be played by
        `replay`. One that exists is never overwritten.
    session
        Where to listen; the default session without.
    policy
        When to connect again, and what silence means; shorter for tests.

    Returns
    -------
    Live
        The one that runs with the same arguments, or a new one. Other options replace the one
        that runs for these markets and period.

    Raises
    ------
    UnknownSymbol, BadPeriod, BadRequest
        An argument cannot be meant; the choices are named.
    Unsupported
        The venue does not stream that.
    MissingCredentials
        A channel of the account, and no key.

    Notes
    -----
    It begins with the venue's newest page, joined to the stream without a seam. After a lost
    connection it connects again, by full-jitter backoff, and asks for what it missed.

    Examples
    --------
    >>> with live("btcusdt", "1min") as stream:
    ...     stream.wait(10), len(stream.klines) > 200
    (True, True)
    """
    return _opened(
        symbols, period, channels=channels, step=step, window=window, record=record,
        session=session or current_session(), policy=policy or Policy(),
    )  # fmt: skip


def _opened(
    symbols: str | Iterable[str],
    period: Period,
    *,
    channels: Iterable[str],
    step: int | str | None,
    window: int,
    session: Session,
    policy: Policy,
    record: str | os.PathLike[str] | None = None,
    is_guest: bool = False,
) -> Live:
    """Return the `Live` that runs, or a new one; a guest is one that only a picture asked for."""
    session.listed()  # the dialect knows the venue's markets from now on
    plan = _plan(symbols, period, session, channels=channels, step=step, window=window)
    merges = plan.step == 0 or session.dialect.merges_depth
    told = replace(plan, step=plan.step if merges else 0)
    credentials = _key(plan, session)

    def make() -> Live:
        watch = Watch(told, session.dialect)
        wish = _wish(plan, session, policy)
        recorder = None if record is None else Recorder(record, _header(told, session, policy))
        driver = Driver(watch, session, policy, recorder)
        made = Live(driver, wish, units=_units(plan, session, merges=merges))
        made.is_guest = is_guest
        driver.start()
        return made

    key = (session.venue.name, session.dialect.name, plan.symbols, plan.is_single, plan.period)
    options = (plan, session.venue, credentials, str(record), policy)
    found = registry.running(key, options, make, is_guest=is_guest)
    found.is_guest = found.is_guest and is_guest
    return found


def _plan(
    symbols: str | Iterable[str],
    period: Period,
    session: Session,
    *,
    channels: Iterable[str],
    step: int | str | None,
    window: int,
) -> Plan:
    words = (channels,) if isinstance(channels, str) else tuple(dict.fromkeys(channels))
    unknown = [word for word in words if word not in (*MARKET, *USER)]
    if unknown or not words:
        raise e.BadRequest(
            f"channels: {unknown or 'none'} cannot be watched.",
            why=f"There are {', '.join((*MARKET, *USER))}.",
            sent="no",
        )
    if symbols == EVERYTHING and words not in {MARKET, ("ticker",)}:
        raise e.BadRequest(
            f"channels: {', '.join(words)} of every market cannot be watched.",
            why='"*" is the ticker of every market.',
            todo="Name the markets in a list.",
            sent="no",
        )
    rows = to_limit(window, "window") or 1
    name = to_period(period, session.dialect.periods, session.venue.name)
    if symbols == EVERYTHING:
        listing = session.listed()
        return Plan(
            tuple(listing["symbol"]), is_single=False, period=name, channels=("ticker",),
            window=rows, is_everything=True,
        )  # fmt: skip
    is_single = isinstance(symbols, str)
    names = to_symbols([symbols] if isinstance(symbols, str) else symbols)
    markets = tuple(dict.fromkeys(session.symbol(one) for one in names))
    return Plan(markets, is_single, name, words, to_step(step), rows)


def _key(plan: Plan, session: Session) -> str:
    """Return who listens to an account, after a look whether anybody may."""
    wanted = [word for word in plan.channels if word in USER]
    if not wanted:
        return ""
    if not session.dialect.streams.user or session.venue.user_ws is None:
        raise e.Unsupported(
            f"{session.venue.name} does not stream {', '.join(wanted)}.",
            why="Its stream tells market data to everybody, and nothing of accounts.",
            todo="Ask account(), open_orders() and my_trades() instead; today's exchange streams"
            " them.",
            sent="no",
        )
    return credentials_for(session.venue, session.passed).fingerprint


def _units(plan: Plan, session: Session, *, merges: bool) -> dict[str, Decimal | None]:
    """Return to which multiples the prices of books are merged here."""
    if merges:
        return dict.fromkeys(plan.symbols)
    return {symbol: session.price_tick(symbol) * 100**plan.step for symbol in plan.symbols}


def _wish(plan: Plan, session: Session, policy: Policy) -> Wish:
    listing = session.listed()
    again = {
        "channels": MARKET if plan.is_everything else plan.channels,
        "step": plan.step,
        "window": plan.window,
        "session": session,
        "policy": policy,
    }
    sandbox = launch.serving(session.venue.ws) if session.venue.simulated else None
    return Wish(
        plan.step, session.dialect.periods, tuple(listing["symbol"]), listing, again, sandbox
    )


def _header(plan: Plan, session: Session, policy: Policy) -> dict[str, Any]:
    """Return what a recording must know to be played."""
    listing = session.listed()
    rows = [at for at, symbol in enumerate(listing["symbol"]) if symbol in plan.symbols]
    return {
        "venue": session.venue.name,
        "dialect": session.dialect.name,
        "simulated": session.venue.simulated,
        "plan": asdict(plan),
        "policy": asdict(policy),
        "listing": {name: [listing[name][at] for at in rows] for name in _LISTED},
    }


def replay(path: str | os.PathLike[str], *, speed: float = 1.0) -> Live:
    """Play a recorded stream through the code that made it.

    Parameters
    ----------
    path
        A file that ``live(..., record=path)`` made.
    speed
        How fast: 1 as it happened, 60 a minute in a second; ``float("inf")`` as fast as it goes.

    Returns
    -------
    Live
        Its frames are those of the recording; it stops at the end of it.

    Raises
    ------
    BadRequest
        There is no such file, it is no recording, or no such speed.
    ProtocolError
        The file is damaged.
    """
    number: Any = speed  # or whatever was written
    if not isinstance(number, int | float) or not number > 0:
        raise e.BadRequest(
            f"speed: {speed!r} is no speed.", todo="Write 1 or 60, or 0.1 for slower.", sent="no"
        )
    header = read_header(path)
    venue = Venue(header["venue"], header["dialect"], "http://127.0.0.1")
    told = header["plan"]
    plan = Plan(**(told | {name: tuple(told[name]) for name in ("symbols", "channels")}))
    player = Player(path, header, venue, plan, speed)
    wish = Wish(plan.step, (plan.period,), plan.symbols, header["listing"], {})
    made = Live(player, wish, units=dict.fromkeys(plan.symbols))
    player.start()
    return made
