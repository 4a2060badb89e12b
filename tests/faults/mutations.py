"""What can become of a frame on its way: damaged bytes, strange JSON, broken gzip.

Every mutation is a function of a source of chance and of what it mutates, so that a seed tells
all. They are tables of names: a summary, and a failure, say which ones were at work.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Bytes = Callable[[random.Random, bytes, bytes], bytes]
Grammar = Callable[[random.Random, "Spot"], None]

# ------------------------------------------------------------------------------------- bytes


def _flip(dice: random.Random, data: bytes, _: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(dice: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _remove(dice: random.Random, data: bytes, _: bytes) -> bytes:
    begin = dice.randrange(len(data) + 1)
    return data[:begin] + data[begin + dice.randint(1, 8) :]


def _insert(dice: random.Random, data: bytes, _: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.randbytes(dice.randint(1, 6)) + data[at:]


def _repeat(dice: random.Random, data: bytes, _: bytes) -> bytes:
    begin = dice.randrange(len(data) + 1)
    part = data[begin : begin + dice.randint(1, 40)]
    return data[:begin] + part * dice.randint(2, 50) + data[begin:]


def _splice(dice: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def _swap_signs(dice: random.Random, data: bytes, _: bytes) -> bytes:
    """Put one sign of JSON in the place of another."""
    signs = b'{}[],:"0-.eE\\n'
    places = [at for at, byte in enumerate(data) if byte in signs]
    if not places:
        return data
    at = dice.choice(places)
    return data[:at] + bytes((dice.choice(signs),)) + data[at + 1 :]


BYTES: dict[str, Bytes] = {
    "flip": _flip, "cut": _cut, "remove": _remove, "insert": _insert, "repeat": _repeat,
    "splice": _splice, "swap signs": _swap_signs,
}  # fmt: skip

# ----------------------------------------------------------------------------------- grammar

_RAW = "\ue000"
"""Begins a text that is written without its quotes."""
_AGAIN = "\ue001"
"""Begins a key that is written without this sign: a second one of its name."""


class Spot:
    """A place in a JSON value, where something is put."""

    def __init__(self, holder: Any, at: Any) -> None:
        self.holder, self.at = holder, at

    @property
    def value(self) -> Any:
        """What is there."""
        return self.holder[self.at]

    def put(self, value: Any) -> None:
        """Put something else there."""
        self.holder[self.at] = value

    def put_raw(self, text: str) -> None:
        """Put something there that no JSON writer writes."""
        self.put(_RAW + text)


def _spots(value: Any) -> Iterator[Spot]:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for at in keys:
        yield Spot(value, at)
        yield from _spots(value[at])


def _missing(_: random.Random, spot: Spot) -> None:
    del spot.holder[spot.at]


_KEYS = (
    "ping", "pong", "event", "event_rep", "status", "code", "cb_id", "side", "tick", "data",
    "result", "channel", "symbol", "id", "new",
)  # fmt: skip


def _extra(dice: random.Random, spot: Spot) -> None:
    value = dice.choice((None, "", 0, [], {}, "x" * 300))
    if isinstance(spot.holder, dict):
        spot.holder[dice.choice(_KEYS)] = value
    else:
        spot.holder.insert(spot.at, value)


def _twice(dice: random.Random, spot: Spot) -> None:
    if isinstance(spot.holder, dict):
        spot.holder[f"{_AGAIN}{spot.at}"] = dice.choice((spot.value, None, 0, "", []))
    else:
        spot.holder.insert(spot.at, spot.value)


def _other_type(dice: random.Random, spot: Spot) -> None:
    value = spot.value
    others = (None, True, False, 0, 1, 1.5, "", "0", [], {}, [[]])
    spot.put(dice.choice((*others, [value], {"a": value}, str(value)[:50])))


_HUGE = (
    "9" * 19, "9" * 400, "9" * 5000, "1e400", "-1e308", "1e-400", "1E999999999", str(2**63),
    str(-(2**63) - 1), str(2**64), "0." + "0" * 500 + "1",
)  # fmt: skip


def _huge(dice: random.Random, spot: Spot) -> None:
    digits = dice.choice(_HUGE)
    spot.put_raw(digits) if dice.random() < 0.6 else spot.put(digits)


def _no_number(dice: random.Random, spot: Spot) -> None:
    word = dice.choice(("NaN", "Infinity", "-Infinity", "nan", "inf", "-0", "0x10", "1_000", "١٢"))
    spot.put_raw(word) if dice.random() < 0.5 else spot.put(word)


def _deep(dice: random.Random, spot: Spot) -> None:
    depth = dice.choice((50, 500, 1500, 20_000))
    sign = dice.choice(("[]", '{"a":}'))
    spot.put_raw(sign[:-1] * depth + "0" + sign[-1] * depth)


def _surrogate(dice: random.Random, spot: Spot) -> None:
    text = dice.choice(('"\\ud800"', '"\\udc00\\ud800"', '"a\\u0000b"', '"\\uD83D"', '"\u202e"'))
    spot.put_raw(text)


def _wrong_word(dice: random.Random, spot: Spot) -> None:
    spot.put(dice.choice((
        "BUY", "sell", "HOLD", "ok", "error", "subed", "rep", "sub", "subscribe", "public/auth",
        "public/heartbeat", "unsubscribe", "ticker.BTC_USDT", "trade.BTC_USDT", "book.BTC_USDT.10",
        "book.update", "candlestick.1m.BTC_USDT", "user.order", "user.trade", "user.balance",
        "market_btcusdt_ticker", "market_btcusdt_kline_1min", "market_btcusdt_trade_ticker",
        "market_btcusdt_depth_step0", "review", "ACTIVE", "FILLED", "🙂", "../../etc", "\x1b[31m",
    )))  # fmt: skip


def _negative(dice: random.Random, spot: Spot) -> None:
    value = spot.value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        spot.put(-1)
    else:
        spot.put(f"-{value}" if isinstance(value, str) else -value)


def _other_unit(dice: random.Random, spot: Spot) -> None:
    value, factor = spot.value, dice.choice((1000, 10**6, 10**9))
    if isinstance(value, int) and not isinstance(value, bool):
        spot.put(value // factor if dice.random() < 0.5 else value * factor)
    else:
        spot.put(dice.choice((0, 1, 1754000000, 1754000000000, 1754000000000000, 2**62)))


def _moved(dice: random.Random, spot: Spot) -> None:
    """Count a little further or back: ids, times and sequences out of order."""
    value = spot.value
    if isinstance(value, int) and not isinstance(value, bool):
        spot.put(value + dice.randint(-3, 3))
    elif isinstance(value, str) and value.isdecimal():
        spot.put(str(int(value[:40]) + dice.randint(-3, 3)))
    elif isinstance(value, list):
        value.reverse()


GRAMMAR: dict[str, Grammar] = {
    "missing": _missing, "extra": _extra, "twice": _twice, "other type": _other_type,
    "huge": _huge, "no number": _no_number, "deep": _deep, "surrogate": _surrogate,
    "wrong word": _wrong_word, "negative": _negative, "other unit": _other_unit, "moved": _moved,
}  # fmt: skip


def written(value: Any) -> str:
    """Write JSON, and what only looks like it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if _AGAIN in text:
        text = text.replace(_AGAIN, "")
    if _RAW not in text:
        return text
    begin, *parts = text.split(f'"{_RAW}')
    for part in parts:  # up to the end of the JSON text that it stands in
        raw, end = json.decoder.scanstring(part, 0)  # type: ignore[attr-defined]  # not in the stubs
        begin += raw + part[end:]
    return begin


def mutate_json(dice: random.Random, text: str) -> tuple[str, list[str]]:
    """Return a text with one to three places changed, and how."""
    value, used = json.loads(text), []
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        spots = list(_spots(value))
        if not spots:
            break
        name = dice.choice(list(GRAMMAR))
        GRAMMAR[name](dice, dice.choice(spots))
        used.append(name)
    return written(value), used


# -------------------------------------------------------------------------------------- gzip


def packed(data: bytes, window: int = 31) -> bytes:
    """Compress, as one gzip member."""
    packer = zlib.compressobj(1, zlib.DEFLATED, window)
    return packer.compress(data) + packer.flush()


def _no_checksum(dice: random.Random, data: bytes, _: bytes) -> bytes:
    whole = packed(data)
    return whole[:-8] + dice.randbytes(dice.choice((4, 8))) + whole[-4:]


def _flipped(dice: random.Random, data: bytes, other: bytes) -> bytes:
    return _flip(dice, packed(data), other)


def _bomb(dice: random.Random, data: bytes, _: bytes) -> bytes:
    """Inflate to megabytes from kilobytes: spaces, brackets, digits, or a long text."""
    size = dice.choice((1 << 20, (1 << 20) + 1, 3 << 20, 9 << 20))
    sign = dice.choice((b" ", b"[", b"9", b"a"))
    if sign in b" [":
        return packed(data[:1] + sign * size + data[1:])
    return packed(b'{"ping":"' + sign * size + b'"}')


GZIP: dict[str, Bytes] = {
    "gzip cut": lambda dice, data, other: _cut(dice, packed(data), other),
    "gzip checksum": _no_checksum,
    "gzip trailing": lambda dice, data, _: packed(data) + dice.randbytes(dice.randint(1, 9)),
    "gzip two members": lambda _, data, other: packed(data) + packed(other),
    "gzip flipped": _flipped,
    "gzip in gzip": lambda _, data, __: packed(packed(data)),
    "zlib": lambda _, data, __: packed(data, 15),
    "raw": lambda _, data, __: packed(data, -15),
}  # fmt: skip
BOMB = "gzip bomb"


def bomb(dice: random.Random, data: bytes) -> bytes:
    """Return a bomb; they are dear, so that there are few."""
    return _bomb(dice, data, b"")
