"""Recorded calls about an account: each question is written as it was, each answer read rightly."""

from __future__ import annotations

import json
from decimal import Decimal as D  # noqa: N817  # the tables below are read as numbers
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas import operations as op
from cdcx_pandas.credentials import Credentials
from cdcx_pandas.dialects.exchange.wire import UNMODELLED
from cdcx_pandas.messages import HttpResponse
from cdcx_pandas.tables import Answer
from tests.evidence.exchange_files import MS, knowing, loaded, response_of, rows_of
from tests.evidence.wire_files import differences, parsed

pytestmark = pytest.mark.evidence
ME = Credentials("a" * 22, "b" * 22)

LISTS = {"private/get-trades", "private/get-open-orders", "private/get-order-history",
         "private/user-balance"}  # fmt: skip
ORDER = {"order": UNMODELLED["order"]}
LEFT_OUT = {
    "private/get-order-detail": {".result": UNMODELLED["order"]},
    "private/get-open-orders": {".result.data": UNMODELLED["order"]},
    "private/get-order-history": {".result.data": UNMODELLED["order"]},
    "private/get-trades": {".result.data": UNMODELLED["fill"]},
    "private/user-balance": {
        ".result.data": UNMODELLED["account"],
        ".result.data.position_balances": UNMODELLED["balance"],
    },
}


def calls(evidence: Path) -> list[dict[str, Any]]:
    """Return the recorded calls."""
    found: list[dict[str, Any]] = loaded(evidence, "rest-private.capture.json")["calls"]
    return found


def question_of(method: str, params: dict[str, Any]) -> op.Operation[Any]:
    """Return the question of a recorded call."""
    id_, client_id = params.get("order_id"), params.get("client_oid")
    symbol = "crousd" if "instrument_name" in params else None
    amount, spend, price = (
        D(params[key]) if key in params else None for key in ("quantity", "notional", "price")
    )
    match method:
        case "private/create-order":
            side, type_ = params["side"].lower(), params["type"].lower()
            name = client_id or "1"
            return op.PlaceOrder("crousd", side, type_, amount, spend, price, client_id=name)
        case "private/amend-order":
            prices = D(params["new_quantity"]), D(params["new_price"])
            old = params["orig_client_oid"]
            return op.AmendOrder(
                *prices, client_id=old, new_client_id=params["client_oid"], symbol=symbol
            )
        case "private/get-order-detail":
            return op.GetOrder(id_, client_id=client_id)
        case "private/cancel-order":
            return op.CancelOrder(id_, symbol, client_id)
        case "private/cancel-all-orders":
            return op.CancelAllOrders(symbol)
        case "private/get-open-orders":
            return op.GetOpenOrders(symbol)
        case "private/get-order-history":
            return op.GetOrderHistory(symbol, page_size=params["limit"])
        case "private/get-trades":
            return op.GetMyTrades(symbol, page_size=params["limit"])
    assert method == "private/user-balance"
    return op.GetAccount()


def answer_of(call: dict[str, Any]) -> HttpResponse:
    """Return a recorded call's answer, in the envelope the recorder took off."""
    result, method = call["result_or_data"], call["method"]
    if method == "private/cancel-all-orders":
        return HttpResponse(200, b'{"id":1,"method":"private/cancel-all-orders","code":0}')
    more = {"method": method}
    return rows_of(result) if method in LISTS else response_of(result, **more)


def test_every_recorded_question_is_written_as_it_was(evidence: Path) -> None:
    """Parameters are those of the recording, but for what the package always or never says."""
    for call in calls(evidence):
        question = question_of(call["method"], call["params"])
        request = knowing(evidence).encode_request(question, ME, 1_700_000_000_000)
        body = json.loads(request.body)
        wanted = dict(call["params"])
        wanted.pop("fee_instrument_name", None)  # never said
        if call["method"] == "private/create-order":
            wanted.setdefault("client_oid", "1")  # always said
        assert body["method"] == call["method"]
        assert differences(wanted, body["params"]) == []


def test_every_recorded_answer_is_written_as_it_was(evidence: Path) -> None:
    """`encode(decode(x))` is `x`, but for keys no table holds."""
    dialect = knowing(evidence, "OPEN_USD")  # delisted since
    for call in calls(evidence):
        method, response = call["method"], answer_of(call)
        question = question_of(method, call["params"])
        if call["params"].get("client_oid") is None and method == "private/create-order":
            named = call["result_or_data"]["client_oid"]  # the server's own choice
            question = op.PlaceOrder("crousd", "buy", "market", spend=D(1), client_id=named)
        if method == "private/cancel-order":
            both = call["result_or_data"]
            question = op.CancelOrder(both["order_id"], None, both["client_oid"])
        answer = dialect.decode_response(question, response, exact=True)
        written = parsed(dialect.encode_response(question, answer, ref="1").body)
        left_out = LEFT_OUT.get(method, {}) | {"": frozenset({"method"})}
        assert differences(parsed(response.body), written, left_out) == [], method


def orders_of(evidence: Path, method: str, **params: Any) -> list[dict[str, Any]]:
    """Return the rows of recorded orders, as a person sees them."""
    rows: list[dict[str, Any]] = []
    for call in calls(evidence):
        if call["method"] == method and call["params"].items() >= params.items():
            answer = knowing(evidence).decode_response(
                question_of(method, call["params"]), answer_of(call), exact=True
            )
            count = len(answer)
            rows += [{k: v[at] for k, v in answer.columns.items()} for at in range(count)]
    return rows


def test_a_market_buy_in_money_reads_filled_though_it_ended_canceled(evidence: Path) -> None:
    """It spent what it could: amount and remaining are unknown, the spend is what was asked."""
    (row,) = orders_of(evidence, "private/get-order-detail", order_id="6142909983343484108")
    assert row == {
        "id": "6142909983343484108", "client_id": "4033200855999684713", "symbol": "crousd",
        "side": "buy", "type": "market", "status": "filled", "price": None, "amount": None,
        "spend": D("1.21840"), "filled": D(19), "remaining": None, "average": D("0.06095"),
        "cost": D("1.15797"), "fee": D("0.095"), "fee_coin": "CRO",
        "created": 1783118632972635999, "updated": 1783118632972 * MS,
        "value": D("1.21840"), "estimate": D(19), "time_in_force": "gtc",
        "instructions": ["NOTIONAL_ORDER"], "reason": 0,
    }  # fmt: skip


def test_a_market_sell_reads_filled(evidence: Path) -> None:
    """Told in the base coin: the amount stands, nothing remains."""
    (row,) = orders_of(evidence, "private/get-order-detail", order_id="6142909983343484998")
    told = {key: row[key] for key in ("status", "price", "amount", "spend", "filled", "remaining")}
    assert told == {
        "status": "filled", "price": None, "amount": D(20), "spend": None, "filled": D(20),
        "remaining": D(0),
    }  # fmt: skip
    assert (row["fee"], row["fee_coin"]) == (D("0.0060920"), "USD")


def test_an_active_order_is_open_and_lacks_what_it_lacks(evidence: Path) -> None:
    """No rates and no reference price are told of it; there is no average before a fill."""
    (row,) = orders_of(
        evidence, "private/get-order-detail", client_oid="update_test_ff7bc284ef7c4feb"
    )
    assert (row["status"], row["type"], row["price"]) == ("open", "limit", D("0.03710"))
    assert (row["filled"], row["remaining"], row["average"]) == (D(0), D(27), None)
    old = orders_of(evidence, "private/get-open-orders")
    assert {(row["symbol"], row["status"]) for row in old} >= {("openusd", "open")}


def test_history_is_ascending_by_its_last_change(evidence: Path) -> None:
    """It comes newest change first in 2026, and in 2024 newest first by creation."""
    for call in calls(evidence):
        if call["method"] == "private/get-order-history":
            answer = knowing(evidence).decode_response(op.GetOrderHistory(), answer_of(call))
            assert answer.columns["id"] == [row["order_id"] for row in call["result_or_data"]][::-1]
            by = "updated" if call["_captured_at_unix"] > 1_750_000_000 else "created"
            assert answer.columns[by] == sorted(answer.columns[by])


def test_own_trades_pay_positive_fees(evidence: Path) -> None:
    """The wire's fee is negative when it is paid; two fills of one match keep their order."""
    (call,) = [call for call in calls(evidence) if call["method"] == "private/get-trades"]
    answer = knowing(evidence).decode_response(op.GetMyTrades(), answer_of(call), exact=True)
    rows = call["result_or_data"][::-1]
    assert answer.columns["id"] == [row["trade_id"] for row in rows]
    assert answer.columns["time"] == [int(row["create_time_ns"]) for row in rows]
    assert answer.columns["matched"] == [int(row["transact_time_ns"]) for row in rows]
    assert answer.columns["fee"] == [D("0.020"), D("0.075"), D("0.0060920"), D("0.0060920")]
    assert answer.columns["fee_coin"] == ["CRO", "CRO", "USD", "USD"]
    assert answer.columns["role"] == ["taker"] * 4
    assert answer.columns["cost"] == [
        D(row["traded_price"]) * D(row["traded_quantity"]) for row in rows
    ]
    # The fills of the order that was told in money are its cost and its fee.
    (order,) = orders_of(evidence, "private/get-order-detail", order_id="6142909983343484108")
    own = [at for at, id_ in enumerate(answer.columns["order_id"]) if id_ == order["id"]]
    assert sum(answer.columns["cost"][at] for at in own) == order["cost"]
    assert sum(answer.columns["fee"][at] for at in own) == order["fee"]


def test_the_total_of_an_account_is_the_sum_of_its_values(evidence: Path) -> None:
    """Of a dozen totals, the one in cash is the worth of all coins."""
    (call,) = [call for call in calls(evidence) if call["method"] == "private/user-balance"]
    answer: Answer = knowing(evidence).decode_response(op.GetAccount(), answer_of(call), exact=True)
    balances = call["result_or_data"][0]["position_balances"]
    assert answer.columns == {
        "coin": [row["instrument_name"] for row in balances],
        "total": [D(row["quantity"]) for row in balances],
        "locked": [D(row["reserved_qty"]) for row in balances],
        "value_usd": [D(row["market_value"]) for row in balances],
        "available": [D(row["quantity"]) - D(row["reserved_qty"]) for row in balances],
    }
    assert answer.facts == {"total_usd": D("17.4065892")}
    assert abs(sum(answer.columns["value_usd"]) - answer.facts["total_usd"]) < D("0.0000001")
