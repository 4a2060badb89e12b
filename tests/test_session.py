"""Sessions: what is repeated, what is told, what is kept when something fails."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import cdcx_pandas as cdcx
from cdcx_pandas import errors as e
from cdcx_pandas import session as sessions
from cdcx_pandas.session import Session
from cdcx_pandas.transport.clock import SystemClock
from cdcx_pandas.venues import VENUES, Venue
from tests.conftest import Faulty

KLINES = "/v1/klines"
STREAM = "/kline-api/ws"


class QuickClock(SystemClock):
    """Real time, but waits between retries are short."""

    def sleep(self, seconds: float) -> None:
        """Wait a tenth as long."""
        super().sleep(min(seconds, 0.05))


def quick(faulty: Faulty) -> Session:
    """Return a session whose retries do not wait long."""
    return Session(faulty.session.venue, credentials=faulty.running.credentials, clock=QuickClock())


# ------------------------------------------------------------------------- what is repeated


@pytest.mark.parametrize(
    "fault", [{"drop": True}, {"status": 500}, {"status": 502, "body": "html"}, {"truncate": True}]
)
def test_reads_are_asked_again(faulty: Faulty, fault: dict[str, Any]) -> None:
    """A read that failed once for reasons that may pass is asked again, and answered."""
    faulty.fail(where=KLINES, **fault)
    before = faulty.asked(KLINES)
    assert len(cdcx.klines("btcusdt", "1hour", session=quick(faulty))) == 300
    assert faulty.asked(KLINES) == before + 2


def test_reads_are_not_asked_for_ever(faulty: Faulty) -> None:
    """After four more tries the error is told."""
    faulty.fail(where=KLINES, times=0, status=500, body="empty")
    before = faulty.asked(KLINES)
    with pytest.raises(e.ServerError) as caught:
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert faulty.asked(KLINES) == before + 5
    assert caught.value.endpoint == KLINES
    assert caught.value.http_status == 500


@pytest.mark.parametrize("status", [400, 401, 404])
def test_refusals_are_not_repeated(faulty: Faulty, status: int) -> None:
    """What the venue refused is refused: asking again would not change it."""
    faulty.fail(where=KLINES, status=status, body="html")
    before = faulty.asked(KLINES)
    with pytest.raises(e.CdcxError):
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert faulty.asked(KLINES) == before + 1


def test_a_429_is_waited_for(faulty: Faulty) -> None:
    """Too many requests: wait as told, and ask again."""
    faulty.fail(where=KLINES, status=429, retry_after=0.01)
    assert len(cdcx.klines("btcusdt", "1hour", session=quick(faulty))) == 300


def test_a_429_that_asks_for_an_hour_is_told_at_once(faulty: Faulty) -> None:
    """A notebook does not freeze: a long wait is an error that says how long."""
    faulty.fail(where=KLINES, status=429, retry_after=3600, body="html")
    began = time.monotonic()
    with pytest.raises(e.RateLimited) as caught:
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert time.monotonic() - began < 5
    assert caught.value.retry_after == 3600
    assert "use live() instead of polling" in str(caught.value)


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 502}, {"status": 503}])
def test_the_history_request_of_the_stream_is_repeated(
    faulty: Faulty, fault: dict[str, Any]
) -> None:
    """A stream that fails to open is opened again, and no row is lost."""
    faulty.fail(where=STREAM, **fault)
    day: dict[str, Any] = {"start": "2022-05-01", "end": "2022-05-02"}
    df = cdcx.klines("btcusdt", "1min", session=quick(faulty), **day)
    assert len(df) == 1440


# ---------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("body", ["json", "html", "empty"])
@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (400, e.BadRequest, "bad request"),
        (401, e.AuthError, "unauthorized"),
        (403, e.PermissionDenied, "forbidden"),
        (404, e.NotFound, "not found"),
        (429, e.RateLimited, "too many requests"),
        (500, e.ServerError, "the server failed"),
        (503, e.Maintenance, "busy or in maintenance"),
    ],
)
def test_every_http_status_is_its_error(
    faulty: Faulty, status: int, error: type[e.CdcxError], text: str, body: str
) -> None:
    """The statuses of the guide, with whatever body, become one exception each."""
    faulty.fail(where=KLINES, status=status, body=body, times=0, retry_after=60)
    with pytest.raises(error) as caught:
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert f"The venue answered HTTP {status}: " in str(caught.value)
    assert text in str(caught.value)
    assert caught.value.http_status == status


@pytest.mark.parametrize("code", [100004, "100004", 100004.0])
def test_a_code_under_200_is_an_error(faulty: Faulty, code: object) -> None:
    """Code ≠ 0 is an error whatever HTTP says, and never an empty frame."""
    faulty.fail(where=KLINES, code=code)
    with pytest.raises(e.CdcxError) as caught:
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert "100004" in str(caught.value)


def test_a_bomb_is_refused(faulty: Faulty) -> None:
    """A body that would fill the memory is not inflated."""
    faulty.fail(where=KLINES, bomb=True, times=2)
    with pytest.raises(e.ProtocolError) as caught:
        cdcx.klines("btcusdt", "1hour", session=quick(faulty))
    assert "inflates to more than 8,388,608 bytes" in str(caught.value)


def test_nobody_there_is_told_with_what_to_do() -> None:
    """No connection: the question never left, and the error says so."""
    venue = Venue("mine", rest="http://127.0.0.1:9", ws="ws://127.0.0.1:9/x")
    with pytest.raises(e.ConnectFailed) as caught:
        cdcx.symbols(session=Session(venue, clock=QuickClock()))
    assert caught.value.sent == "no"
    assert "No connection to 127.0.0.1" in str(caught.value)


def test_the_old_hosts_errors_say_that_nobody_answers() -> None:
    """Venue v1 is complete, and honest about its hosts."""
    session = Session("v1")
    told = session._told(e.ConnectFailed("No connection."), "/v1/symbols")
    assert str(told).endswith(
        "V1 (2019) answers nobody; today's Exchange API, also called v1, is use('exchange')."
    )


def test_an_unknown_dialect_is_told_with_the_list() -> None:
    """A venue whose dialect nobody speaks is refused with those that are spoken."""
    with pytest.raises(e.Unsupported) as caught:
        cdcx.use(cdcx.Venue("mine", dialect="v3", rest="http://127.0.0.1:1"))
    assert str(caught.value).splitlines()[0] == (
        "The dialect 'v3' of venue 'mine' is not in this version."
    )
    assert "This version speaks exchange, v1." in str(caught.value)


def test_an_unknown_venue_is_told_with_the_list() -> None:
    """A venue that does not exist is refused with those that do."""
    with pytest.raises(e.BadRequest) as caught:
        cdcx.use("binance")
    assert "exchange, uat, v1, sandbox" in str(caught.value)


# -------------------------------------------------------------------- what is kept on failure


class Breaks(Session):
    """A session whose n-th batch of pages fails."""

    at: int = 3
    error: BaseException = e.ServerError("On order.")

    def _answers(self, pages: list[Any], *, exact: bool) -> list[Any]:
        if len(pages) > 1:
            self.at -= 1
            if self.at < 0:
                raise self.error
        return super()._answers(pages, exact=exact)


def breaking(faulty: Faulty, error: BaseException) -> Breaks:
    """Return a session that reads three batches and fails."""
    session = Breaks(faulty.session.venue, clock=faulty.session.clock)
    session.error = error
    return session


def test_a_failure_while_paging_carries_the_rows_so_far(faulty: Faulty) -> None:
    """`.partial` and `.resume_from` continue without a double or missing row."""
    window: Any = {"start": "2021-01-01", "end": "2021-01-12"}
    with pytest.raises(e.ServerError) as caught:
        cdcx.klines("btcusdt", "1min", session=breaking(faulty, e.ServerError("x")), **window)
    partial, resume_from = caught.value.partial, caught.value.resume_from
    assert partial is not None
    assert resume_from is not None
    assert len(partial) == 3 * 8 * 300
    rest = cdcx.klines(
        "btcusdt", "1min", start=resume_from, end="2021-01-12", session=faulty.session
    )
    whole = cdcx.klines("btcusdt", "1min", session=faulty.session, **window)
    pd.testing.assert_frame_equal(pd.concat([partial, rest]), whole, check_freq=False)


def test_ctrl_c_while_paging_carries_the_rows_so_far(faulty: Faulty) -> None:
    """Ctrl-C raises Interrupted, a KeyboardInterrupt, with the same two."""
    with pytest.raises(KeyboardInterrupt) as caught:
        cdcx.klines(
            "btcusdt",
            "1min",
            start="2021-01-01",
            end="2021-01-12",
            session=breaking(faulty, KeyboardInterrupt()),
        )
    error = caught.value
    assert isinstance(error, cdcx.Interrupted)
    assert error.partial is not None
    assert error.resume_from == error.partial.index[-1] + pd.Timedelta("1min")


def test_a_real_ctrl_c_ends_a_long_question(faulty: Faulty) -> None:
    """The signal itself is taken between pages or in the middle of one."""
    faulty.fail(where=KLINES, hang=True)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(cdcx.Interrupted):
        cdcx.klines("btcusdt", "1hour", session=faulty.session)
    timer.join()
    assert len(cdcx.klines("btcusdt", "1hour", session=faulty.session)) == 300


# ------------------------------------------------------------------------------- the clock


class WrongClock(SystemClock):
    """A machine whose clock is off."""

    def __init__(self, off_s: float) -> None:
        self.off_s = off_s

    def now_ns(self) -> int:
        """Return a wrong time."""
        return super().now_ns() + int(self.off_s * 1e9)


@pytest.mark.parametrize("off_s", [-3600.0, -40.0, 45.0, 3600.0])
def test_a_wrong_clock_is_measured_told_and_corrected(faulty: Faulty, off_s: float) -> None:
    """Signed times are corrected by what answers tell; the person is told once."""
    session = Session(
        faulty.session.venue, credentials=faulty.running.credentials, clock=WrongClock(off_s)
    )
    with pytest.warns(e.CdcxWarning, match="s off the venue's") as told:
        assert len(cdcx.account(session=session)) == 4
    (said,) = re.findall(r"clock is ([+-]\d+\.\d) s off", str(told[0].message))
    assert abs(float(said) - off_s) <= 1
    assert abs(session.now_ns() - time.time_ns()) < 2e9


@pytest.mark.filterwarnings("ignore:This machine's clock")
def test_a_skewed_clock_that_cannot_be_corrected_is_its_own_error(faulty: Faulty) -> None:
    """When the venue refuses all the same, the error is ClockSkew and says the offset."""
    session = Session(
        faulty.session.venue, credentials=faulty.running.credentials, clock=WrongClock(100.0)
    )
    wrong_ms = session.clock.now_ns() // 10**6
    session._signing_ms = lambda: wrong_ms  # type: ignore[method-assign]  # as if uncorrected
    with pytest.raises(e.ClockSkew, match="code 100005") as caught:
        cdcx.account(session=session)
    assert abs((caught.value.offset or 0) + 100) < 1.5
    assert re.search(r"local clock is \+(99|100)\.\d s off the venue's", str(caught.value))


# ----------------------------------------------------------------------------- the default


@pytest.fixture
def no_default() -> Iterator[None]:
    """Forget the default session for a test."""
    before, sessions._default = sessions._default, None
    yield
    sessions._default = before


@pytest.mark.usefixtures("no_default")
def test_use_is_a_context_manager() -> None:
    """Behind the block, the former session is the default again."""
    with cdcx.use("v1") as outer:
        with cdcx.use(VENUES["v1"]) as inner:
            assert sessions.current_session() is inner
        assert sessions.current_session() is outer


@pytest.mark.usefixtures("no_default")
def test_the_environment_names_the_default_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CDCX_VENUE` changes what a first call asks."""
    monkeypatch.setenv("CDCX_VENUE", "v1")
    assert sessions.current_session().venue.name == "v1"


def test_a_session_shows_what_it_is_and_no_secret(faulty: Faulty) -> None:
    """`repr` names venue, dialect, and the key by its fingerprint."""
    shown = repr(faulty.session)
    assert shown.startswith("Session('sandbox', dialect 'v1', SIMULATED, Credentials(key sha256:")
    assert faulty.running.credentials.key_for_the_wire() not in shown


def test_threads_share_a_session(faulty: Faulty) -> None:
    """Many threads may ask through one session."""
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(len(cdcx.klines("btcusdt", session=faulty.session)))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [300] * 8


def test_venues_must_be_encrypted_or_here() -> None:
    """An address that is not on this machine is https and wss; simulated is here only."""
    with pytest.raises(e.InsecureVenue, match="neither encrypted nor on this machine"):
        Venue("mine", rest="http://example.com")
    with pytest.raises(e.InsecureVenue, match="neither encrypted"):
        Venue("mine", rest="https://example.com", ws="ws://example.com/x")
    with pytest.raises(e.InsecureVenue, match="cannot be taken for simulated"):
        Venue("mine", rest="https://example.com", simulated=True)
    with pytest.raises(e.BadRequest, match="holds no user, password or query"):
        Venue("mine", rest="https://me:secret@example.com")
    for rest in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"):
        assert Venue("mine", rest=rest).rest == rest


def test_found_keys_serve_the_exchange_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from the environment goes to no other host, whatever it is called."""
    from cdcx_pandas.venues import credentials_for

    monkeypatch.setenv("CDCX_API_KEY", "k" * 32)
    monkeypatch.setenv("CDCX_API_SECRET", "s" * 32)
    assert credentials_for(VENUES["exchange"], None).source == "environment"
    elsewhere = replace(VENUES["exchange"], rest="https://api.crypto.com.example.com")
    for venue in (elsewhere, VENUES["v1"], VENUES["uat"]):
        with pytest.raises(e.MissingCredentials):
            credentials_for(venue, None)
    found = credentials_for(VENUES["exchange"], None)
    with pytest.raises(e.MissingCredentials, match="Found keys go to the exchange's own hosts"):
        credentials_for(VENUES["v1"], found)
