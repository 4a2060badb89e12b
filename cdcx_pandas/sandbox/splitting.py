"""Splitting what is known of a bar into finer bars, and a minute into trades.

Each split keeps what its parent promised: the first open and last close, the highest high and
lowest low, and the sums of volume, turnover and trades, to the last unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cdcx_pandas.periods import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from cdcx_pandas.sandbox.chance import bell, draw, field, key, shares, total, unit
from cdcx_pandas.sandbox.rows import (
    CLOSE,
    FIELDS,
    HIGH,
    ID,
    LOW,
    OPEN,
    TIME,
    TRADES,
    TURNOVER,
    VOLUME,
)
from cdcx_pandas.sandbox.tape import NS_PER_MS

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]
    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Split:
    """How bars of one length become bars of a shorter one.

    The shares are what makes every split possible (see `_divide_money`). A parent's average
    price keeps a margin M from its high and low, a child's only the smaller margin m. If at
    worst everything given out by `even` and `burst` trades at the low, the free rest must
    average ``(1 - M) / (1 - even - burst)`` of the range to make up for it; the child that
    touches the high can do that as long as this is at most ``1 - m``, less what is kept for
    rounding: 0.62 / 0.86 < 0.73 for hours, 0.78 / 0.90 < 0.87 for minutes. And a minute of
    13 lots for each trade can meet any average within its margin of 8 %, one in 12.5.
    """

    name: str
    parent_ns: int
    children: int
    margin: int
    """Percent of its range by which a child's average keeps away from high and low."""
    even: float
    """Share of the volume that is given out by the number of trades."""
    burst: float
    """Share of the volume that one child, the burst, has at least."""
    least_trades: int
    """Every child has at least so many."""
    burst_trades: int
    """And the burst so many more."""
    rhythm: tuple[float, ...]
    """How busy each child is on average."""

    @property
    def child_ns(self) -> int:
        return self.parent_ns // self.children


HOURS = _Split(
    "hours", NS_PER_DAY, 24, 22, 0.10, 0.04, 68, 0,
    (0.95, 1.0, 0.95, 0.9, 0.85, 0.8, 0.85, 0.95, 1.05, 1.1, 1.05, 1.0,
     1.1, 1.3, 1.5, 1.55, 1.5, 1.35, 1.2, 1.1, 1.05, 1.0, 0.95, 0.9),
)  # fmt: skip
MINUTES = _Split(
    "minutes", NS_PER_HOUR, 60, 8, 0.05, 0.05, 1, 7,
    tuple(1.6 if minute == 0 else 1.15 if minute % 15 == 0 else 0.97 for minute in range(60)),
)  # fmt: skip

_LEAST_MOVING = 5
"""A minute of fewer trades stands still: five can meet any four prices and any turnover."""
_KEPT_ROOM = 5
"""So much (in percent of the range) of what the margin leaves is kept for what rounding leaves."""
_BURST_SPAN = 4
"""The burst spans at least one part in so many of its parent's range."""


class Splitter:
    """Splits bars of one pair; everything it draws is keyed by the child's own time."""

    def __init__(self, how: _Split, seed: int, symbol: str) -> None:
        self.how = how
        words = ("busy", "within", "between", "reach", "volume", "parent")
        self.keys = {word: key(seed, symbol, how.name, word) for word in words}
        self.rhythm = np.array(how.rhythm)
        self.places = np.arange(how.children, dtype=np.int64)

    def __call__(self, parents: Ints) -> Ints:
        """Return the children of all parents, parent by parent."""
        how = self.how
        child = (parents[TIME] // how.child_ns)[:, None] + self.places
        luck = draw(self.keys["parent"], child[:, 0])
        burst = (field(luck, 0) % how.children)[:, None] == self.places
        rows = np.empty((FIELDS, *child.shape), dtype=np.int64)
        rows[TIME] = child * how.child_ns
        self._divide_trades(rows, parents, child, burst)
        top, bottom = self._lead_prices(rows, parents, child, burst, luck)
        self._divide_money(rows, parents, child, burst, (top, bottom))
        return rows.reshape(FIELDS, child.size)

    def _divide_trades(self, rows: Ints, parents: Ints, child: Ints, burst: Flags) -> None:
        how = self.how
        bits = draw(self.keys["busy"], child)
        busy = self.rhythm * (0.25 + 1.5 * unit(bits, 0) * unit(bits, 1))
        spare = parents[TRADES] - (how.children * how.least_trades + how.burst_trades)
        trades = shares(busy, spare[:, None])
        trades += how.least_trades + how.burst_trades * burst
        rows[TRADES] = trades
        rows[ID] = parents[ID][:, None] + trades.cumsum(axis=1) - trades

    def _lead_prices(
        self, rows: Ints, parents: Ints, child: Ints, burst: Flags, luck: Words
    ) -> tuple[Ints, Ints]:
        """Lead a path from open to close that meets high and low; tell which child meets each.

        The path has two points for each child, its open and its close. It is a random bridge
        over the straight line, and what is above the line is stretched until it touches the
        high, what is below until it touches the low.
        """
        opening, high, low, closing = (parents[n][:, None] for n in (OPEN, HIGH, LOW, CLOSE))
        still = rows[TRADES] < _LEAST_MOVING
        size = np.where(still, 0.0, 1.0) * self.rhythm
        gap = np.full(child.shape, 0.3)
        gap[:, 1:] += 0.4 * (still[:, 1:] + still[:, :-1].astype(np.float64))
        gap[:, 0] = 0.0
        spread = np.empty((len(child), 2 * self.how.children))
        spread[:, 0::2], spread[:, 1::2] = gap, size
        walk = np.empty_like(spread)
        walk[:, 0::2] = gap * bell(draw(self.keys["between"], child))
        walk[:, 1::2] = size * bell(draw(self.keys["within"], child))
        walk = walk.cumsum(axis=1)
        elapsed = (spread * spread).cumsum(axis=1)
        elapsed /= elapsed[:, -1:]
        bridge = walk - walk[:, -1:] * elapsed
        self._never_one_sided(bridge, luck)
        line = opening + (closing - opening) * elapsed
        above, below = np.maximum(bridge, 0.0), np.minimum(bridge, 0.0)
        # Where the bridge is not above (below) the line, no stretching makes it touch.
        with np.errstate(divide="ignore", invalid="ignore"):
            rise = np.where(above > 0, (high - line) / above, np.inf)
            fall = np.where(below < 0, (low - line) / below, np.inf)
        top, bottom = rise.argmin(axis=1)[:, None], fall.argmin(axis=1)[:, None]
        path = line + np.take_along_axis(rise, top, 1) * above
        path += np.take_along_axis(fall, bottom, 1) * below
        points = np.clip(np.rint(path).astype(np.int64), low, high)
        np.put_along_axis(points, top, high, 1)
        np.put_along_axis(points, bottom, low, 1)

        rows[OPEN] = points[:, 0::2]
        rows[CLOSE] = np.where(still, rows[OPEN], points[:, 1::2])
        bits = draw(self.keys["reach"], child)
        wick = (high - low) * 0.5 / np.sqrt(float(self.how.children)) * ~still
        upper = np.maximum(rows[OPEN], rows[CLOSE])
        upper += np.rint(wick * unit(bits, 0)).astype(np.int64)
        lower = np.minimum(rows[OPEN], rows[CLOSE])
        lower -= np.rint(wick * unit(bits, 1)).astype(np.int64)
        upper, lower = np.minimum(upper, high), np.maximum(lower, low)
        # The burst is wide enough to take up what rounding leaves over.
        span = np.minimum(np.maximum((high - low) // _BURST_SPAN, 1), high - low)
        upper = np.where(burst, np.minimum(np.maximum(upper, lower + span), high), upper)
        rows[LOW] = np.where(burst, np.minimum(lower, upper - span), lower)
        rows[HIGH] = upper
        return top // 2, bottom // 2

    def _never_one_sided(self, bridge: Floats, luck: Words) -> None:
        """Give each bridge a point on either side of the line, or it could not touch both."""
        inner = self.how.children - 2
        for side, place in ((1.0, 1), (-1.0, 2)):
            flat = np.flatnonzero(((bridge * side) <= 0).all(axis=1))
            where = 1 + (field(luck[flat], 1) + place * inner // 3) % inner
            bridge[flat, 2 * where] = bridge[flat, 2 * where + 1] = 0.01 * side

    def _divide_money(
        self,
        rows: Ints,
        parents: Ints,
        child: Ints,
        burst: Flags,
        touching: tuple[Ints, Ints],
    ) -> None:
        """Divide volume and turnover so that both add up.

        Prices are there already. Each child has an average price somewhere in its range; the
        volume goes where it makes the parent's average come out, and what rounding leaves is
        taken up by the averages.
        """
        how = self.how
        bits = draw(self.keys["volume"], child)
        span = rows[HIGH] - rows[LOW]
        offset = rows[LOW] - parents[LOW][:, None]
        volume = parents[VOLUME][:, None]
        excess = parents[TURNOVER][:, None] - parents[LOW][:, None] * volume
        average = offset + span * (0.35 + 0.3 * unit(bits, 0))
        fixed = rows[TRADES] * (how.even / parents[TRADES][:, None]) + how.burst * burst
        chance = unit(bits, 1)
        free = rows[TRADES] * (0.3 + 2.0 * chance * chance * chance)
        free /= total(free)
        wanted = excess / volume

        share = 1 - how.even - how.burst
        gap = wanted - total((fixed + share * free) * average)
        centre = total(free * average)
        # Towards the side that is wanted, and the further a child is on that side the more.
        pull = free * np.maximum((average - centre) * np.sign(gap), 0.0)
        weight = total(pull)
        pull /= np.where(weight > 0, weight, 1.0)
        lever = share * (total(pull * average) - centre)
        part = np.clip(gap / np.where(weight > 0, lever, np.inf), 0.0, 0.75)
        free += part * (pull - free)
        gap -= part * lever
        short = np.flatnonzero(np.abs(gap[:, 0]) > 1e-9 * (1 + wanted[:, 0]))
        if short.size:
            at = np.where(gap[short] > 0, touching[0][short], touching[1][short])
            self._shift(short, at, gap, (free, fixed), (average, offset, span))

        rows[VOLUME] = shares(fixed + share * free, volume)
        most = span * rows[VOLUME]
        least = -(-most * how.margin // 100)
        inside = np.rint((average - offset) * rows[VOLUME]).astype(np.int64)
        inside = np.clip(inside, least, most - least)
        left = excess - (offset * rows[VOLUME] + inside).sum(axis=1, keepdims=True)
        room = np.where(left > 0, most - least - inside, inside - least)
        room_total = room.sum(axis=1, keepdims=True)
        assert (room_total >= np.abs(left)).all(), "the burst has room for what rounding leaves"
        taken = shares(np.where(room_total > 0, room, 1).astype(np.float64), np.abs(left))
        inside += np.sign(left) * taken
        rows[TURNOVER] = rows[LOW] * rows[VOLUME] + inside

    def _shift(
        self,
        short: Ints,
        at: Ints,
        gap: Floats,
        volumes: tuple[Floats, Floats],
        prices: tuple[Floats, Ints, Ints],
    ) -> None:
        """Close the gap of the few parents whose average pulling alone did not reach.

        The child that touches the wanted side moves its average there as far as it may, and
        takes as much of the free volume as is still needed.
        """
        free, fixed = volumes
        average, offset, span = prices
        how = self.how
        share = 1 - how.even - how.burst
        rest = gap[short]
        mine = np.take_along_axis(average[short], at, 1)
        kept = how.margin + _KEPT_ROOM
        margin = np.where(rest > 0, 100 - kept, kept) / 100
        limit = np.take_along_axis(offset[short], at, 1) + margin * np.take_along_axis(
            span[short], at, 1
        )
        held = np.take_along_axis(fixed[short] + share * free[short], at, 1)
        move = np.sign(rest) * np.minimum(np.abs(rest) / held, np.abs(limit - mine))
        rows = average[short]
        np.put_along_axis(rows, at, mine + move, 1)
        average[short] = rows
        rest = rest - move * held
        centre = total(free[short] * rows)
        lever = share * (mine + move - centre)
        part = np.clip(np.where(np.abs(lever) > 0, rest / np.where(lever, lever, 1.0), 0.0), 0, 1)
        given = free[short] * (1 - part)
        np.put_along_axis(given, at, np.take_along_axis(given, at, 1) + part, 1)
        free[short] = given


_LEAST_USED = 0.9
"""How much of what the constraints leave free is used by trades between the extremes."""


class Trader:
    """Makes the trades of minutes; everything it draws is keyed by the trade's id or its minute."""

    def __init__(self, seed: int, symbol: str) -> None:
        self.keys = {word: key(seed, symbol, "trades", word) for word in ("place", "trade")}

    def __call__(self, minutes: Ints) -> Ints:
        """Return the trades of all minutes, one after the other, with the rows of `Trades`."""
        count = minutes[TRADES]
        start = count.cumsum() - count
        mine = np.repeat(np.arange(count.size), count)
        place = np.arange(mine.size) - start[mine]
        rows = np.empty((5, mine.size), dtype=np.int64)
        rows[0] = minutes[ID][mine] + place
        bits = draw(self.keys["trade"], rows[0])
        within = ((place << 16) + field(bits, 0)) * 60_000 // (count[mine] << 16)
        rows[1] = minutes[TIME][mine] + within * NS_PER_MS
        self._price_and_amount(rows, minutes, (mine, place, start), bits)
        step = np.diff(rows[2], prepend=rows[2][:1])
        step[start] = 0
        coin = 1 - 2 * (field(bits, 3) & 1)
        rows[4] = np.where(step == 0, coin, np.sign(step))
        return rows

    def _price_and_amount(
        self, rows: Ints, minutes: Ints, layout: tuple[Ints, Ints, Ints], bits: Words
    ) -> None:
        """Choose prices and amounts that meet the minute's four prices, volume and turnover.

        A minute that moves has five trades with a duty: the first at the open, the last at the
        close, one at the high, one at the low and one, the filler, at whatever price makes the
        rest divisible by the range. Then the turnover is reached by dividing what is left of
        the volume between the trade at the high and the one at the low.
        """
        mine, _, start = layout
        count = minutes[TRADES]
        low, high = minutes[LOW], minutes[HIGH]
        span, volume = high - low, minutes[VOLUME]
        moving = (span > 0) & (count >= _LEAST_MOVING)
        at_high, at_low, filler = (
            start + np.where(moving, where, 0) for where in self._duties(minutes)
        )

        # From open to the first extreme, to the second, to the close, not quite straight.
        first, second = np.minimum(at_high, at_low), np.maximum(at_high, at_low)
        peaks_first = at_high < at_low
        one, two = np.where(peaks_first, high, low), np.where(peaks_first, low, high)
        index = np.arange(mine.size)
        passed = (index >= first[mine]).astype(np.int64) + (index >= second[mine])
        way = np.stack((minutes[OPEN], one, two, minutes[CLOSE]))
        here, ahead = way[passed, mine], way[passed + 1, mine]
        price = here + ((ahead - here) * field(bits, 1) >> 16)
        price = np.where(moving[mine], price, low[mine])
        price[start], price[start + count - 1] = minutes[OPEN], minutes[CLOSE]

        size = field(bits, 2)
        weight = 1 + (size * size >> 20)
        whole = np.add.reduceat(weight, start)
        price[at_high[moving]], price[at_low[moving]] = high[moving], low[moving]
        free = weight.copy()
        for duty in (at_high, at_low, filler):
            free[duty[moving]] = 0
        spare = volume - count
        amount = 1 + np.floor(weight * (spare / whole)[mine]).astype(np.int64)

        # Where nothing moves, the last trade takes what rounding left.
        rest = volume - np.add.reduceat(amount, start)
        amount[(start + count - 1)[~moving]] += rest[~moving]

        if moving.any():
            offset = price - low[mine]
            excess = minutes[TURNOVER] - low * volume
            fill = weight[filler]
            above = np.add.reduceat(free * offset, start) + fill * span
            below = np.add.reduceat(free * (span[mine] - offset), start) + fill * span
            busy = moving[mine] & (free > 0)
            # Where the filler ends up is not known yet: either bound counts it as a whole.
            roof = np.minimum(
                (excess - span * count) / np.maximum(above, 1),
                (span * spare - excess) / np.maximum(below, 1),
            )
            rate = np.maximum(np.minimum(_LEAST_USED * roof, spare / whole), 0.0)
            amount = np.where(busy, 1 + np.floor(weight * rate[mine]).astype(np.int64), amount)
            wide = np.maximum(span, 1)
            fill = 1 + wide * np.floor(fill * rate / wide).astype(np.int64)
            used = np.where(busy, amount, 0)
            open_excess = excess - np.add.reduceat(used * offset, start)
            # One lot more than a multiple of the range, so the offset is the remainder itself.
            remainder = open_excess % wide
            upper = (open_excess - remainder * fill) // wide
            lower = volume - np.add.reduceat(used, start) - fill - upper
            amount[at_high[moving]] = upper[moving]
            amount[at_low[moving]] = lower[moving]
            amount[filler[moving]] = fill[moving]
            price[filler[moving]] = (low + remainder)[moving]
        rows[2], rows[3] = price, amount

    def _duties(self, minutes: Ints) -> tuple[Ints, Ints, Ints]:
        """Choose three different trades of each minute, none the first or the last."""
        luck = draw(self.keys["place"], minutes[TIME] // NS_PER_MINUTE)
        inner = np.maximum(minutes[TRADES] - 2, 3)
        high = field(luck, 0) % inner
        low = (high + 1 + field(luck, 1) % (inner - 1)) % inner
        filler = (low + 1) % inner
        filler = np.where(filler == high, (filler + 1) % inner, filler)
        return high + 1, low + 1, filler + 1
