"""Mischief by chance: how often what goes wrong with streams, for how long, all from one seed.

The same seed and rates make the same decisions in the same order; which updates and connections
they meet is the clock's doing. Nothing here does I/O: time is an argument, decisions are faults;
only the diary looks at the machine's clock.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cdcx_pandas.errors import BadRequest
from cdcx_pandas.sandbox.faults import GARBLES, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

OF_UPDATES = (
    "mute", "twice", "swap", "delay", "garble", "crossed", "cut_inside", "half_open", "drop",
    "close",
)  # fmt: skip
"""What can happen to an update on its way to one listener."""
OF_OPENINGS = ("pings_only", "refuse")
"""What can happen to a connection that is being opened."""
OF_CONNECTIONS = ("cut_inside", "half_open", "drop", "close")
"""What can happen to a connection at any time."""
_CLOSES = (1000, 1001, 1011, 1012, 1013)
_REFUSALS = (429, 502, 503)
_LONGEST_DELAY_S = 1.0
_RETRY_AFTER_S = 0.1
_REMEMBERED = 50_000


@dataclass(frozen=True)
class Orders:
    """How much shall go wrong.

    Attributes
    ----------
    seed
        Of all decisions.
    for_s
        How long, real seconds.
    rates
        What of `OF_UPDATES` and `OF_OPENINGS` happens how often, each from 0 to 1.
    every_s
        What of `OF_CONNECTIONS` happens every so many seconds, on average, to one connection.
        A bare number stands for ``drop``.
    """

    seed: int = 0
    for_s: float = 20.0
    rates: dict[str, float] = field(default_factory=dict)
    every_s: dict[str, float] | float = field(default_factory=dict)

    @property
    def timed(self) -> dict[str, float]:
        """What happens by the clock, and every how many seconds."""
        return self.every_s if isinstance(self.every_s, dict) else {"drop": float(self.every_s)}


def read_orders(given: object) -> Orders:
    """Read orders from JSON; `BadRequest` names what is none."""
    known = {"seed", "for_s", "rates", "every_s"}
    if not isinstance(given, dict) or not set(given) <= known:
        raise BadRequest(f"{given} is no chaos.", todo=f"There are {', '.join(sorted(known))}.")
    try:
        orders = msgspec.convert(given, Orders)
    except msgspec.ValidationError as error:
        raise BadRequest(f"This is no chaos: {error}.") from error
    for names, allowed in (
        (orders.rates, OF_UPDATES + OF_OPENINGS),
        (orders.timed, OF_CONNECTIONS),
    ):
        if not set(names) <= set(allowed):
            unknown = sorted(set(names) - set(allowed))
            raise BadRequest(f"{unknown} does not happen.", todo=f"There are {', '.join(allowed)}.")
    rates, every_s = orders.rates.values(), orders.timed.values()
    too_many = sum(rate for name, rate in orders.rates.items() if name in OF_UPDATES) > 1
    if too_many or min(rates, default=0) < 0 or min(every_s, default=1) <= 0:
        raise BadRequest("Rates are from 0 to 1 in all, seconds above 0.")
    return orders


class Chaos:
    """The mischief that is ordered, until its time is over."""

    def __init__(self) -> None:
        self._ends_at = 0.0
        self.begin(Orders(), 0.0)

    def begin(self, orders: Orders, monotonic: float) -> None:
        """Do this from now on, and no more what was ordered before; nothing, without rates."""
        self._rates = orders.rates
        self._timed = orders.timed
        is_any = any(orders.rates.values()) or bool(orders.timed)
        self._ends_at = monotonic + orders.for_s if is_any else 0.0
        # One sequence for each place that decides, so that none shifts another's.
        self._updates = _dice(orders.seed, "updates")
        self._openings = _dice(orders.seed, "openings")
        self._clock = _dice(orders.seed, "clock")
        self._next_at = {
            name: monotonic + self._clock.expovariate(1 / every_s)
            for name, every_s in self._timed.items()
        }

    def is_on(self, monotonic: float) -> bool:
        """Whether anything can happen."""
        return monotonic < self._ends_at

    def of_update(self) -> Fault | None:
        """Decide what befalls the next update for one listener."""
        dice = self._updates
        name = _drawn(dice, self._rates, OF_UPDATES)
        match name:
            case None:
                return None
            case "delay":
                return Fault(delay_s=dice.uniform(0.01, _LONGEST_DELAY_S))
            case "garble":
                return Fault(garble=dice.choice(GARBLES))
            case "close":
                return Fault(close=dice.choice(_CLOSES))
            case _:
                given: dict[str, Any] = {name: True}
                return Fault(**given)

    def of_opening(self) -> Fault | None:
        """Decide what befalls the next connection that is opened."""
        match _drawn(self._openings, self._rates, OF_OPENINGS):
            case "refuse":
                status = self._openings.choice(_REFUSALS)
                return Fault(status=status, retry_after=_RETRY_AFTER_S if status == 429 else None)
            case "pings_only":
                return Fault(mute=True)
            case _:
                return None

    def of_connections(self, monotonic: float) -> list[Fault]:
        """Decide what befalls some connection now, because its time has come."""
        found = []
        for name, at in self._next_at.items():
            if monotonic >= at:
                self._next_at[name] = monotonic + self._clock.expovariate(1 / self._timed[name])
                given: dict[str, Any] = {name: True}
                if name == "close":
                    given[name] = self._clock.choice(_CLOSES)
                found.append(Fault(**given))
        return found

    def one_of(self, them: Sequence[T]) -> T:
        """Choose whom it befalls."""
        return self._clock.choice(them)


def _dice(seed: int, place: str) -> Random:
    return Random(f"{seed} {place}")  # noqa: S311  # whoever knows the seed shall know the dice


def _drawn(dice: Random, rates: dict[str, float], names: tuple[str, ...]) -> str | None:
    """Draw one of the names, each as often as its rate says, or none."""
    at = dice.random()
    for name in names:
        at -= rates.get(name, 0.0)
        if at < 0:
            return name
    return None


class Diary:
    """What went wrong with streams, and when.

    Attributes
    ----------
    counts
        How often each thing happened.
    entries
        The newest of them: what, the machine's time in ns, and which connection (0 for all).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.entries: deque[tuple[str, int, int]] = deque(maxlen=_REMEMBERED)

    def note(self, kind: str, connection: int = 0) -> None:
        """Write down that something happened now."""
        self.counts[kind] += 1
        self.entries.append((kind, time.time_ns(), connection))
