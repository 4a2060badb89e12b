"""Places where a dialect is spoken: addresses as data, and what may be sent to them.

Dialects know how to speak, venues know where. Whether a key may serve a venue is decided
here too: keys found in the environment or in the configuration file belong to the exchange's
own hosts, and nobody else gets them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cdcx_pandas.credentials import Credentials, Environment, find_credentials
from cdcx_pandas.dialects import DIALECTS
from cdcx_pandas.errors import BadRequest, InsecureVenue, MissingCredentials, Unsupported
from cdcx_pandas.messages import is_loopback

if TYPE_CHECKING:
    from cdcx_pandas.dialects.base import Dialect


@dataclass(frozen=True)
class Venue:
    """A place to ask.

    Parameters
    ----------
    name
        The word for it in frames and errors.
    dialect
        How it speaks: ``"v1"`` or ``"exchange"``.
    rest
        What stands before a dialect's paths: ``https://host``, or ``http://127.0.0.1:port``;
        for ``"exchange"`` with ``/exchange/v1`` at its end.
    ws
        The address of the market stream: ``wss://host/path``, or ``ws://127.0.0.1:port/path``.
    user_ws
        The address of the user stream, where the dialect has one.
    simulated
        Whether its data is made up; accepted on this machine only.

    Raises
    ------
    InsecureVenue
        An address that is not on this machine is not https/wss, or says it is simulated.

    Examples
    --------
    >>> Venue("mine", rest="http://127.0.0.1:8000", ws="ws://127.0.0.1:8000/kline-api/ws")
    Venue(name='mine', dialect='v1', rest='http://127.0.0.1:8000', simulated=False)
    """

    name: str
    dialect: str = "v1"
    rest: str = ""
    ws: str | None = None
    user_ws: str | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        for address, schemes in (
            (self.rest, ("https", "http")),
            (self.ws, ("wss", "ws")),
            (self.user_ws, ("wss", "ws")),
        ):
            if address is not None:
                _check_address(self, address, schemes)

    def __repr__(self) -> str:
        return (
            f"Venue(name={self.name!r}, dialect={self.dialect!r}, rest={self.rest!r},"
            f" simulated={self.simulated})"
        )


def _check_address(venue: Venue, address: str, schemes: tuple[str, str]) -> None:
    parts = urlsplit(address)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in schemes or not parts.hostname:
        raise BadRequest(
            f"{shown!r} is no address of a venue.",
            todo=f"It begins with {schemes[0]}://, or on this machine {schemes[1]}://.",
        )
    if parts.username or parts.password or parts.query:
        raise BadRequest(
            "A venue's address holds no user, password or query.",
            why="Secrets have no place in an address.",
            todo="Pass credentials=cdcx.Credentials(key, secret) to use().",
        )
    if is_loopback(parts.hostname):
        return
    if parts.scheme == schemes[1]:
        raise InsecureVenue(
            f"{shown} is neither encrypted nor on this machine.",
            why="Anybody on the way could read the answers, and the signed questions.",
            todo=f"Write {schemes[0]}://, or ask a server on 127.0.0.1.",
        )
    if venue.simulated:
        raise InsecureVenue(
            f"{shown} is not on this machine, so it cannot be taken for simulated.",
            why="Orders to simulated venues go out without asking.",
            todo="Leave simulated=False.",
        )


VENUES = {
    venue.name: venue
    for venue in (
        Venue(
            "exchange",
            "exchange",
            "https://api.crypto.com/exchange/v1",
            "wss://stream.crypto.com/exchange/v1/market",
            "wss://stream.crypto.com/exchange/v1/user",
        ),
        Venue(
            "uat",
            "exchange",
            "https://uat-api.3ona.co/exchange/v1",
            "wss://uat-stream.3ona.co/exchange/v1/market",
            "wss://uat-stream.3ona.co/exchange/v1/user",
        ),
        Venue("v1", "v1", "https://api.crypto.com", "wss://ws.crypto.com/kline-api/ws"),
    )
}
"""The venues with names; the sandbox is made when it is asked for."""

NOBODY_ANSWERS = (
    "V1 (2019) answers nobody; today's Exchange API, also called v1, is use('exchange')."
)
"""What every error of the venue ``v1`` adds."""

_FOUND_KEYS_SERVE: dict[Environment, str] = {"production": "exchange", "uat": "uat"}


def dialect_of(venue: Venue) -> Dialect:
    """Return the dialect a venue speaks."""
    dialect = DIALECTS.get(venue.dialect)
    if dialect is None:
        raise Unsupported(
            f"The dialect {venue.dialect!r} of venue {venue.name!r} is not in this version.",
            why=f"This version speaks {', '.join(DIALECTS)}.",
            todo="Write one of these.",
        )
    return dialect


def credentials_for(venue: Venue, passed: Credentials | None) -> Credentials:
    """Return the credentials that may serve a venue.

    Passed ones serve any venue. Found ones (environment, configuration file) serve the
    exchange's own hosts only.

    Raises
    ------
    MissingCredentials
        None were passed, and none that may serve this venue were found.
    """
    if passed is not None:
        return _bound(venue, passed)
    if venue not in VENUES.values() or venue.name not in _FOUND_KEYS_SERVE.values():
        raise MissingCredentials(
            f"Venue {venue.name!r} takes only credentials that are passed to it.",
            why="Keys found in the environment or in a file serve the exchange's own hosts.",
            todo="cdcx.use(venue, credentials=cdcx.Credentials(key, secret))",
            sent="no",
        )
    found = find_credentials()
    if found is None:
        raise MissingCredentials(
            "This question is signed and there is no API key.",
            why="Nothing was passed, CDCX_API_KEY and CDCX_API_SECRET are not set, and"
            " ~/.config/cdcx/config.toml has no [default].",
            todo="See docs/security.md for how keys are made and kept.",
            sent="no",
        )
    return _bound(venue, found)


def _bound(venue: Venue, credentials: Credentials) -> Credentials:
    serves = credentials.environment and _FOUND_KEYS_SERVE[credentials.environment]
    if serves is not None and venue != VENUES[serves]:
        raise MissingCredentials(
            f"The key found in {credentials.source} serves venue {serves!r}, not {venue.name!r}.",
            why="Found keys go to the exchange's own hosts and to nobody else.",
            todo="Pass a key for this venue: credentials=cdcx.Credentials(key, secret).",
            sent="no",
        )
    return credentials
