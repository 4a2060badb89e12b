"""Damaged frames harm nothing, and the fuzzing would notice if they did."""

from __future__ import annotations

from typing import Any

import pytest

from cdcx_pandas import messages as m
from cdcx_pandas.dialects.v1 import stream as v1_stream
from tests.faults import corpus, fuzz

SEED = "ordinary"


@pytest.mark.parametrize("dialect", list(corpus.DIALECTS))
def test_nothing_escapes(dialect: str) -> None:
    """Of 10,000 damaged frames none raises anything but our errors, nor harms the engines."""
    told = fuzz.fuzz(dialect, SEED, 10_000)
    assert told.failure == ""
    assert told.is_good, told.summary()
    assert told.frames == 10_000
    assert 0.2 < told.unreadable / told.frames < 0.9


def test_the_seed_tells_all() -> None:
    """The same seed damages the same frames in the same way."""
    first, again = (fuzz.fuzz("exchange", SEED, 1000) for _ in range(2))
    assert (first.used, first.unreadable) == (again.used, again.unreadable)


def test_every_sound_frame_is_read() -> None:
    """What is damaged was sound before: otherwise little would be tried."""
    for dialect, speaks in corpus.DIALECTS.items():
        read = [speaks.decode_frame(text) for text in corpus.texts(dialect)]
        assert len(read) > 10
        kinds = {type(message) for message in read}
        assert {m.Update, m.Heartbeat, m.Refused} <= kinds, kinds


class Careless:
    """A dialect that takes for granted that a time is positive."""

    def __init__(self, dialect: str) -> None:
        self._dialect = corpus.DIALECTS[dialect]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialect, name)

    def decode_frame(self, frame: str | bytes, *, exact: bool = False) -> Any:
        """Read a frame."""
        read = self._dialect.decode_frame(frame, exact=exact)
        plain = v1_stream.unpack(frame) if isinstance(frame, bytes) else frame
        if b'"ts":-1' in (plain if isinstance(plain, bytes) else plain.encode()):
            raise KeyError("ts")
        return read


def test_a_careless_decoder_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that raises something else is found, and the frame, the mutation and the seed told."""
    told = fuzz.fuzz("v1", SEED, 50_000, Careless("v1"))  # type: ignore[arg-type]  # a stand-in
    for words in ("decode_frame of 'v1' raised", f"seed {SEED!r}", "mutated by", "KeyError: 'ts'"):
        assert words in told.failure
    assert "b'\\x1f\\x8b" in told.failure
    monkeypatch.setattr(fuzz, "run", lambda *_: told)
    assert fuzz.main(["1000", "7"]) == 1
    out = capsys.readouterr().out
    assert "seed 7" in out
    assert told.failure in out


def test_slowness_and_memory_count() -> None:
    """Frames that take too long, or too much memory, are failures too."""
    assert fuzz.Told(frames=1).is_good
    assert not fuzz.Told(frames=1, slowest_s=fuzz.SLOWEST_S).is_good
    assert not fuzz.Told(frames=1, rise=fuzz.MOST_RISE).is_good
