"""Values of JSON as columns want them, or refused."""

from __future__ import annotations

import pytest

from cdcx_pandas.dialects import reading as r
from cdcx_pandas.dialects.base import Dialect
from cdcx_pandas.dialects.exchange import DIALECT as EXCHANGE
from cdcx_pandas.dialects.v1 import DIALECT as V1
from cdcx_pandas.errors import ProtocolError


@pytest.mark.parametrize(
    "text", ["9" * 200_000 + "x", "." + "9" * 200_000 + "x", "1e9999", "", "."]
)
def test_a_text_that_is_no_number(text: str) -> None:
    """It is refused at once, however long; nothing there is no number either."""
    if text:
        with pytest.raises(ValueError, match="is no number"):
            r.number(text, exact=False)
    else:
        assert r.number(text, exact=False) is None


@pytest.mark.parametrize("text", ["1", "-1.5", "1.", ".5", "+2", "1e3", "1.5E-7"])
def test_a_text_that_is_a_number(text: str) -> None:
    """In all forms that exchanges write."""
    assert r.number(text, exact=False) == float(text)


TRADE = {
    "v1": '{"channel":"market_btcusdt_trade_ticker","ts":1589032904000,"tick":{"data":[{"id":ID,'
    '"price":1,"vol":1,"side":"BUY","ts":TIME}]}}',
    "exchange": '{"id":-1,"code":0,"method":"subscribe","result":{"subscription":"trade.BTC_USDT",'
    '"data":[{"d":ID,"p":"1","q":"1","s":"BUY","t":TIME}]}}',
}


@pytest.mark.parametrize("dialect", [V1, EXCHANGE])
@pytest.mark.parametrize(
    ("id_", "time"),
    [('"a1"', "1589032904000"), ("null", "1589032904000"), (f'"{"9" * 61}"', "1589032904000"),
     ('"5"', "0"), ('"5"', "null"), ('"-5"', "1589032904000")],
)  # fmt: skip
def test_news_of_a_trade_that_has_no_place(dialect: Dialect, id_: str, time: str) -> None:
    """Without a time, or an id that can be counted by, it cannot be put among the others."""
    text = TRADE[dialect.name].replace("ID", id_).replace("TIME", time)
    frame = text.encode() if dialect is V1 else text
    with pytest.raises(ProtocolError):
        dialect.decode_frame(frame)


@pytest.mark.parametrize("dialect", [V1, EXCHANGE])
def test_every_trade_of_a_frame_is_looked_at(dialect: Dialect) -> None:
    """Also one in the middle, whose time can not be meant."""
    text = TRADE[dialect.name].replace("ID", '"5"')
    begin, row, end = text.partition(text[text.rindex("{") : text.index("}") + 1])
    rows = [row.replace("TIME", time) for time in ("1589032904000", "9" * 20, "1589032904000")]
    frame = begin + ",".join(rows) + end
    with pytest.raises(ProtocolError, match="is no time"):
        dialect.decode_frame(frame.encode() if dialect is V1 else frame)
