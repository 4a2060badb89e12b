"""The API keys of the local exchange, as data made from the seed.

There is one for each thing that can be wrong with a key, so that a person can meet every
error here before they meet it elsewhere. What a key may do is told by `may`; whether a request
was signed with it is found out by the dialects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from cdcx_pandas.credentials import Secret
from cdcx_pandas.errors import AuthError, PermissionDenied
from cdcx_pandas.operations import Effect
from cdcx_pandas.sandbox.ledger import USER

if TYPE_CHECKING:
    from cdcx_pandas.operations import Operation

Right = Literal["read", "trade"]

ADDRESS_DENIED, RIGHT_DENIED = "100007", "110032"
"""V1's codes for the two ways a key that is right can still be refused."""
ELSEWHERE = "203.0.113.7"
"""An address set aside for documents (RFC 5737): nobody ever asks from there."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_LENGTH = 32
_NEEDED: dict[Effect, Right | None] = {
    Effect.PUBLIC_READ: None,
    Effect.PRIVATE_READ: "read",
    Effect.CANCEL: "trade",
    Effect.CANCEL_ALL: "trade",
    Effect.NEW_ORDER: "trade",
}


@dataclass(frozen=True)
class Key:
    """An API key.

    Attributes
    ----------
    name
        What it shows: ``main``, ``revoked``, ``read-only`` or ``elsewhere``.
    key, secret
        32 letters and digits each; no repr shows them.
    rights
        What it may do.
    revoked
        Whether its owner took it back.
    address
        The only internet address it may be used from, None for all.
    account
        Whose it is.
    """

    name: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    rights: frozenset[Right] = frozenset({"read", "trade"})
    revoked: bool = False
    address: str | None = None
    account: str = USER

    @property
    def sealed(self) -> Secret:
        """The secret as the dialects take it."""
        return Secret(self.secret)


def make_keys(seed: int) -> tuple[Key, ...]:
    """Make the keys of an exchange; the first is the one to use."""
    return (
        Key("main", *_pair(seed, "main")),
        Key("revoked", *_pair(seed, "revoked"), revoked=True),
        Key("read-only", *_pair(seed, "read-only"), rights=frozenset({"read"})),
        Key("elsewhere", *_pair(seed, "elsewhere"), address=ELSEWHERE),
    )


def may(key: Key, operation: Operation[Any], address: str) -> None:
    """Do nothing if a key may do this from this address.

    Parameters
    ----------
    key
        The key that signed.
    operation
        What is asked.
    address
        The internet address it is asked from.

    Raises
    ------
    AuthError
        The key was revoked.
    PermissionDenied
        It is bound to another address (code 100007), or lacks the right (code 110032).
    """
    may_read(key, address)
    needed = _NEEDED[operation.effect]
    if needed is not None and needed not in key.rights:
        raise PermissionDenied(
            f"The API key has no right to {needed}.",
            why=f"It may {' and '.join(sorted(key.rights)) or 'do nothing'}.",
            code=RIGHT_DENIED,
        )


def may_read(key: Key, address: str) -> None:
    """Do nothing if a key may be used at all from this address; raises as `may`."""
    if key.revoked:
        raise AuthError("The API key was revoked.", todo="Use another one.")
    if key.address is not None and key.address != address:
        raise PermissionDenied(
            f"The API key may not be used from {address}.",
            why="It is bound to another internet address.",
            code=ADDRESS_DENIED,
        )


def _pair(seed: int, name: str) -> tuple[str, str]:
    return _text(seed, name, "key"), _text(seed, name, "secret")


def _text(seed: int, *words: str) -> str:
    """Make 32 letters and digits of a seed; the modulo's bias does not matter in a toy."""
    digest = blake2b(":".join((str(seed), *words)).encode(), digest_size=_LENGTH).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest)
