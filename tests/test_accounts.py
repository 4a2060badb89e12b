"""The signed reading functions, on the sandbox."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas.errors import (
    AuthError,
    BadRequest,
    MissingCredentials,
    OrderNotFound,
    PermissionDenied,
    Unsupported,
)
from cdcx_pandas.frames.schema import check
from cdcx_pandas.sandbox.keys import make_keys
from cdcx_pandas.session import Session
from cdcx_pandas.tables import ACCOUNT, FILLS, ORDERS

pytestmark = pytest.mark.usefixtures("sandbox")

SYMBOLS = ("btcusdt", "ethusdt", "crousdt", "ethbtc", "crobtc")


def test_every_frame_follows_its_table() -> None:
    """All account functions return the declared index, columns and dtypes."""
    check(ACCOUNT, cdcx.account())
    check(ORDERS, cdcx.open_orders("btcusdt"))
    check(ORDERS, cdcx.order_history("btcusdt"))
    check(FILLS, cdcx.my_trades("btcusdt"))
    check(ACCOUNT, cdcx.account(exact=True), exact=True)
    check(ORDERS, cdcx.order_history("btcusdt", exact=True), exact=True)
    check(FILLS, cdcx.my_trades("btcusdt", exact=True), exact=True)


def test_the_account_starts_with_round_numbers() -> None:
    """The sandbox's account has 100,000 USDT, 2 BTC, 20 ETH and 200,000 CRO."""
    df = cdcx.account(exact=True)
    assert df["total"].to_dict() == {
        "USDT": Decimal(100_000), "BTC": Decimal(2), "ETH": Decimal(20), "CRO": Decimal(200_000),
    }  # fmt: skip
    assert (df["available"] + df["locked"]).equals(df["total"])
    total = Decimal(df.attrs["cdcx"]["total_btc"])
    assert total == sum(df["btc_value"])


def test_the_past_has_sixty_orders() -> None:
    """History holds every order of the range, open ones too, oldest first."""
    histories = [cdcx.order_history(symbol, start="31D") for symbol in SYMBOLS]
    assert sum(map(len, histories)) == 60
    for history in histories:
        assert history["created"].is_monotonic_increasing
        assert history.index.is_unique


def test_own_trades_are_trades_of_the_tape() -> None:
    """What the account did in the past can be found in the market's bars."""
    fills = cdcx.my_trades("btcusdt", start="31D")
    assert len(fills) > 0
    for time, fill in fills.tail(3).iterrows():
        minute = pd.Timestamp(time).floor("min")  # type: ignore[arg-type]  # the index is time
        bar = cdcx.klines("btcusdt", "1min", start=minute, limit=1).iloc[0]
        assert bar["low"] <= fill["price"] <= bar["high"]
        assert fill["amount"] <= bar["volume"]


def test_orders_and_own_trades_agree() -> None:
    """An order's filled amount, cost and fee are the sums of its trades."""
    orders = cdcx.order_history("ethusdt", start="31D", exact=True)
    fills = cdcx.my_trades("ethusdt", start="31D", exact=True)
    for order_id, order in orders.iterrows():
        own = fills[fills["order_id"] == order_id]
        assert sum(own["amount"]) == order["filled"]
        assert sum(own["cost"]) == order["cost"]
        assert sum(own["fee"]) == order["fee"]
        if not order["filled"]:
            assert pd.isna(order["average"])


def test_one_order_is_found_by_its_id() -> None:
    """`order` gives the row that history has."""
    history = cdcx.order_history("btcusdt")
    one = cdcx.order(history.index[-1], "btcusdt")
    pd.testing.assert_frame_equal(one, history.tail(1))


def test_an_order_that_is_not_there_is_told() -> None:
    """An unknown id is its own error, with what to check."""
    with pytest.raises(OrderNotFound) as caught:
        cdcx.order("1", "btcusdt")
    assert "V1 looks an order up in one market only" in str(caught.value)
    assert caught.value.code == "22"
    with pytest.raises(BadRequest, match="is no order id"):
        cdcx.order(" ", "btcusdt")


@pytest.mark.parametrize("call", [cdcx.open_orders, cdcx.order_history, cdcx.my_trades])
def test_v1_cannot_list_across_symbols(call: object) -> None:
    """Without a symbol the error says what to write."""
    with pytest.raises(Unsupported) as caught:
        call()  # type: ignore[operator]  # all three take no argument
    assert str(caught.value) == (
        "V1 cannot list across symbols.\n"
        "Every V1 call about orders names one market.\n"
        'Name it: symbol="btcusdt".'
    )


def with_key(sandbox: Session, name: str) -> Session:
    """Return a session with another of the sandbox's keys."""
    (key,) = [key for key in make_keys(7) if key.name == name]
    return Session(
        sandbox.venue, credentials=cdcx.Credentials(key.key, key.secret), clock=sandbox.clock
    )


def test_a_wrong_secret_is_told_with_all_three_causes(sandbox: Session) -> None:
    """The error names key and secret, the signing order, and the measured clock offset."""
    (key, *_) = make_keys(7)
    session = Session(
        sandbox.venue, credentials=cdcx.Credentials(key.key, "x" * 32), clock=sandbox.clock
    )
    with pytest.raises(AuthError) as caught:
        cdcx.account(session=session)
    text = str(caught.value)
    assert "code 100005 (signature wrong)" in text
    assert "key and secret belong together" in text
    assert "signs in another order" in text
    assert "clock is +0.0 s off" in text
    assert "x" * 32 not in text
    assert key.key not in text


def test_keys_that_may_not_are_told(sandbox: Session) -> None:
    """A revoked key, a read-only one and one bound to an address each get their error."""
    with pytest.raises(AuthError):
        cdcx.account(session=with_key(sandbox, "revoked"))
    with pytest.raises(PermissionDenied) as caught:
        cdcx.account(session=with_key(sandbox, "elsewhere"))
    assert "code 100007 (internet address not allowed)" in str(caught.value)
    assert len(cdcx.account(session=with_key(sandbox, "read-only"))) == 4


def test_without_a_key_signed_questions_are_refused(
    sandbox: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue of one's own takes no found keys: refused before a byte is sent."""
    monkeypatch.setenv("CDCX_API_KEY", "k" * 32)
    monkeypatch.setenv("CDCX_API_SECRET", "s" * 32)
    with pytest.raises(MissingCredentials) as caught:
        cdcx.account(session=Session(sandbox.venue, clock=sandbox.clock))
    assert caught.value.sent == "no"
    assert "serve the exchange's own hosts" in str(caught.value)
