"""Chance and arithmetic that are the same on every machine.

Floats take part in the tape only through operations that IEEE 754 rounds in one way (no ``exp``,
no ``sin``, no sums whose order numpy may choose), so the same seed gives the same tape
everywhere, whatever the page it was asked in.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Words = npt.NDArray[np.uint64]
    Floats = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_LOW_16 = np.uint64(0xFFFF)


def key(seed: int, *words: str) -> np.uint64:
    """Make the key of a stream of draws from the seed and what the draws are for."""
    text = ":".join((str(seed), *words)).encode()
    return np.uint64(int.from_bytes(blake2b(text, digest_size=8).digest(), "big"))


def draw(key: np.uint64, numbers: Ints) -> Words:
    """Return 64 random bits for each number: splitmix64, which can start anywhere."""
    bits = numbers.astype(np.uint64) * _GOLDEN
    bits += key
    for shift, factor in zip(_SHIFTS, _MIX, strict=False):
        bits ^= bits >> shift
        bits *= factor
    bits ^= bits >> _SHIFTS[2]
    return bits


def field(bits: Words, place: int) -> Ints:
    """Cut the 16 bits at `place` (0 to 3) out of a draw: a number from 0 to 65535."""
    return ((bits >> np.uint64(16 * place)) & _LOW_16).astype(np.int64)


def unit(bits: Words, place: int) -> Floats:
    """Make a number in [0, 1) of 16 bits of a draw."""
    return field(bits, place).astype(np.float64) * (1 / 65_536)


def bell(bits: Words) -> Floats:
    """Make a number of mean 0 and deviation 1, nearly normal and never beyond 3.5."""
    four = field(bits, 0) + field(bits, 1) + field(bits, 2) + field(bits, 3)
    return (four - 131_070).astype(np.float64) * (1 / 37_837)


def wave(key: np.uint64, days: Ints, length: int) -> Floats:
    """Return a slow wave in [0, 1): random heights every `length` days, straight between them."""
    node = days // length
    left, right = unit(draw(key, node), 0), unit(draw(key, node + 1), 0)
    return left + (right - left) * ((days - node * length) / length)


_LN2_POWERS = tuple(float(Decimal(2).ln() ** n) for n in range(13))
_FACTORIALS = (1, 1, 2, 6, 24, 120, 720, 5_040, 40_320, 362_880, 3_628_800, 39_916_800, 479_001_600)


def exp2(x: Floats) -> Floats:
    """Raise 2 to `x`. numpy's own differs in the last bit between processors."""
    whole = np.rint(x)
    rest = x - whole
    result = np.zeros_like(x)
    for power, factorial in zip(reversed(_LN2_POWERS), reversed(_FACTORIALS), strict=True):
        result = result * rest + power / factorial
    return np.ldexp(result, whole.astype(np.int32))


def log2(x: str) -> float:
    """Return the logarithm of a constant; `decimal` rounds it the same way everywhere."""
    return float(Decimal(x).ln() / Decimal(2).ln())


def total(x: Floats) -> Floats:
    """Add up each row, from left to right: the order in which `sum` adds is numpy's business."""
    return x.cumsum(axis=1)[:, -1:]


def shares(weights: Floats, wholes: Ints) -> Ints:
    """Divide each row's whole by its weights, in integers that add up to it."""
    running = weights.cumsum(axis=1)
    running /= running[:, -1:]
    ends = np.floor(running * wholes).astype(np.int64)
    ends[:, 1:] -= ends[:, :-1].copy()
    return ends
