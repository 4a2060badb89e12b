"""The command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cdcx_pandas.cli.main import main


def test_the_demo_shows_each_call_above_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cdcx-pandas demo` prints the calls and their frames, and the path of a picture."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    said = capsys.readouterr().out
    for call in (
        'use("sandbox")', 'klines("btcusdt", "1hour")', "symbols()", "tickers()",
        'trades("btcusdt")', 'depth("btcusdt", levels=3)', "account()",
        'order_history("btcusdt")',
    ):  # fmt: skip
        assert f">>> cdcx.{call}\n" in said
    assert "[300 rows x 6 columns]" in said
    assert "[41 rows x 11 columns]" in said
    assert "SIMULATED" in said
    picture = tmp_path / "demo" / "btcusdt-1hour.png"
    assert str(picture) in said
    with Image.open(picture) as image:
        assert image.size == (1300, 728)


def test_errors_are_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that cannot be understood says what there is, and ends with 2."""
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2
    assert "invalid choice: 'dance'" in capsys.readouterr().err
