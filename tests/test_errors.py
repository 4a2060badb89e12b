"""The tree of errors, and what each carries."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

from cdcx_pandas import errors as e

EVERY = [
    kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.CdcxError)
]
TREE = {
    "BadRequest": "CdcxError", "UnknownSymbol": "BadRequest", "BadPeriod": "BadRequest",
    "BadTime": "BadRequest", "FloatRefused": "BadRequest", "Unsupported": "CdcxError",
    "AuthError": "CdcxError", "MissingCredentials": "AuthError", "PartialCredentials": "AuthError",
    "ClockSkew": "AuthError", "PermissionDenied": "CdcxError", "NotFound": "CdcxError",
    "OrderNotFound": "NotFound", "RateLimited": "CdcxError", "ServerError": "CdcxError",
    "Maintenance": "ServerError", "ConnectFailed": "CdcxError", "TimedOut": "CdcxError",
    "ProtocolError": "CdcxError", "OrderRejected": "CdcxError",
    "InsufficientFunds": "OrderRejected", "BelowMinimum": "OrderRejected",
    "PriceOutOfBand": "OrderRejected", "OrderOutcomeUnknown": "CdcxError",
    "NotArmed": "CdcxError", "NonInteractive": "CdcxError", "Halted": "CdcxError",
    "IntentConflict": "CdcxError", "InsecureVenue": "CdcxError", "StreamError": "CdcxError",
    "ArchiveError": "CdcxError", "ArchiveLocked": "ArchiveError",
    "ArchiveCorrupt": "ArchiveError", "DiskFull": "ArchiveError",
}  # fmt: skip


def test_the_tree_is_the_promised_one() -> None:
    """Each error stands under its promised base; bad requests are ValueErrors too."""
    for name, base in TREE.items():
        assert getattr(e, name).__bases__[0] is getattr(e, base), name
    assert issubclass(e.BadRequest, ValueError)
    assert issubclass(e.Interrupted, KeyboardInterrupt)
    for warning in (e.GapWarning, e.SchemaDriftWarning, e.StaleDataWarning):
        assert issubclass(warning, UserWarning)


def test_an_unknown_outcome_is_no_relative_of_the_no_answer_errors() -> None:
    """`except TimedOut: retry` must not catch an order whose fate is unknown."""
    for kind in (e.TimedOut, e.ConnectFailed, e.ServerError, e.ProtocolError, e.RateLimited):
        assert not issubclass(e.OrderOutcomeUnknown, kind)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_errors_survive_a_pickle(kind: type[e.CdcxError]) -> None:
    """Class, text and every fact come back."""
    error = kind(
        "What.", why="Why.", todo="Do.", sent="maybe", endpoint="/x", code="7", http_status=500
    )
    error.partial = pd.DataFrame({"a": [1]})
    error.resume_from = pd.Timestamp("2026-01-01", tz="UTC")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert type(back) is kind
    assert str(back) == str(error) == "What.\nWhy.\nDo."
    assert (back.sent, back.endpoint, back.code, back.http_status) == ("maybe", "/x", "7", 500)
    pd.testing.assert_frame_equal(back.partial, error.partial)
    assert back.resume_from == error.resume_from


def test_errors_carry_what_their_readers_need() -> None:
    """Suggestions, choices, offsets, waits, ids and excerpts."""
    assert e.UnknownSymbol("x", suggestions=["a"]).suggestions == ["a"]
    assert e.BadPeriod("x", allowed=("1min",)).allowed == ["1min"]
    assert e.ClockSkew("x", offset=2.3).offset == 2.3
    assert e.RateLimited("x", retry_after=1.5).retry_after == 1.5
    assert e.OrderRejected("x", order_id="7").order_id == "7"
    assert e.ProtocolError("x", excerpt="<html>").excerpt == "<html>"


def test_a_message_has_no_empty_lines() -> None:
    """What is not said takes no line."""
    assert str(e.CdcxError("What.")) == "What."
    assert str(e.CdcxError("What.", todo="Do.")) == "What.\nDo."


def test_an_interruption_survives_a_pickle() -> None:
    """The rows so far come back with it."""
    error = e.Interrupted(partial=pd.DataFrame({"a": [1]}))
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert isinstance(back, KeyboardInterrupt)
    pd.testing.assert_frame_equal(back.partial, error.partial)
