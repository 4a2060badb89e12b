"""A live stream that was recorded gives the same frames when it is played, in either dialect."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import errors as e
from cdcx_pandas import launch
from cdcx_pandas.streaming import registry
from tests.conftest import as_default, session_of
from tests.streaming.test_live import QUICK, until

AT_ONCE = float("inf")


@pytest.fixture(scope="module", params=["v1", "exchange"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, cdcx.Live]]:
    """Record a few seconds of a busy market, with a cut in the middle."""
    process = launch.start(
        ("--speed", "30", "--push-every", "0.1", "--no-limits", "--incremental-depth")
    )
    path = tmp_path_factory.mktemp("recordings") / f"{request.param}.gz"
    with as_default(session_of(process, request.param)):
        stream = cdcx.live(["btcusdt", "ethusdt"], "1min", record=path, policy=QUICK)
        assert stream.wait(20)
        time.sleep(2.0)
        process.cut()
        until(lambda: stream.health["reconnects"] == 1 and stream.state == "live")
        time.sleep(3.0)
        stream.stop()
        yield path, stream
        registry.stop_all()
    process.stop()


def played(path: Path, speed: float = AT_ONCE) -> cdcx.Live:
    """Return a recording that was played to its end."""
    stream = cdcx.replay(path, speed=speed)
    until(lambda: stream.state == "stopped")
    return stream


def test_live_then_replayed_is_equal(recorded: tuple[Path, cdcx.Live]) -> None:
    """Every frame, the times of arrival and the gaps included."""
    path, live = recorded
    again = played(path)
    for name in ("klines", "trades", "ticker", "depth"):
        pd.testing.assert_frame_equal(getattr(live, name), getattr(again, name), check_exact=True)
    pd.testing.assert_frame_equal(live.gaps, again.gaps)
    assert again.health["reconnects"] == 1
    assert again.trades.attrs["cdcx"]["simulated"] is True
    assert len(again.trades) > 100


def test_it_is_played_at_any_speed(recorded: tuple[Path, cdcx.Live]) -> None:
    """Ten times as fast takes a tenth of the time, which is some, and gives the same."""
    path, live = recorded
    began = time.monotonic()
    again = played(path, speed=10.0)
    assert time.monotonic() - began > 0.3
    pd.testing.assert_frame_equal(live.trades, again.trades)


def test_every_frame_is_kept_as_it_was_received(recorded: tuple[Path, cdcx.Live]) -> None:
    """Text as text, and V1's as the bytes they were: each one of them can be unpacked."""
    path, _ = recorded
    with gzip.open(path) as file:
        lines = [msgspec.json.decode(line) for line in file]
    frames = [frame for kind, *about in lines[1:] if kind == "frames" for frame in about[-1]]
    assert len(frames) > 50
    if lines[0]["dialect"] == "v1":
        assert all(set(frame) == {"base64"} for frame in frames)
    else:
        assert all(msgspec.json.decode(frame)["method"] for frame in frames)


def test_what_a_replay_cannot_do_is_said(recorded: tuple[Path, cdcx.Live]) -> None:
    """There is no venue to verify it with, and no other market."""
    again = played(recorded[0])
    with pytest.raises(e.Unsupported, match="no venue behind"):
        again.verify()
    with pytest.raises(e.Unsupported, match="holds what was recorded"):
        again.other("crousdt", "1min")
    assert again.older_bars("btcusdt", 1, 10) == []


def test_a_recording_that_breaks_off_ends_there(
    recorded: tuple[Path, cdcx.Live], tmp_path: Path
) -> None:
    """As after a crash: what was written is played."""
    whole = recorded[0].read_bytes()
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    again = played(cut)
    assert 0 < len(again.trades) <= len(recorded[1].trades)


def test_a_file_is_never_overwritten(recorded: tuple[Path, cdcx.Live]) -> None:
    """And what is no recording is not played."""
    path, _ = recorded
    before = path.read_bytes()
    process = launch.start(())
    try:
        with (
            as_default(session_of(process)),
            pytest.raises(e.BadRequest, match="such a file already"),
        ):
            cdcx.live("btcusdt", record=path, policy=QUICK)
    finally:
        process.stop()
    assert path.read_bytes() == before


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    """No such file, another kind of file, a damaged one, and no such speed."""
    with pytest.raises(e.BadRequest, match="cannot be read"):
        cdcx.replay(tmp_path / "none.gz")
    other = tmp_path / "other.gz"
    with gzip.open(other, "wb") as file:
        file.write(b'{"a": 1}\n')
    with pytest.raises(e.BadRequest, match="no recording"):
        cdcx.replay(other)
    text = tmp_path / "text.gz"
    text.write_text("hello")
    with pytest.raises(e.BadRequest, match="no recording"):
        cdcx.replay(text)
    for speed in (0, "fast"):
        with pytest.raises(e.BadRequest, match="no speed"):
            cdcx.replay(other, speed=speed)
