"""The exchange's signature: HMAC-SHA256 over method, id, key, parameters and nonce.

Nothing stands between the parts. Parameters are written recursively: an object as its keys in
ascending order, each followed by its value; a list as its items in order; a number with exactly
the digits that are sent. Whoever reads a body must therefore keep the text of its fractions:
`read_signed` does.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.credentials import Secret


class Fraction(str):
    """A JSON number with a point or an exponent, as the text it was sent as."""

    __slots__ = ()


_DECODER = msgspec.json.Decoder(float_hook=Fraction)


def read_signed(body: bytes) -> Any:
    """Parse JSON and keep the text of fractions; None for what cannot be read."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def parameter_text(params: Any) -> str:
    """Return parameters as they are signed; absent or empty ones are the empty text.

    Examples
    --------
    >>> parameter_text({"side": "BUY", "exec_inst": ["POST_ONLY"], "limit": 5})
    'exec_instPOST_ONLYlimit5sideBUY'
    """
    if isinstance(params, dict):
        return "".join(key + parameter_text(params[key]) for key in sorted(params))
    if isinstance(params, list | tuple):
        return "".join(map(parameter_text, params))
    if params is None:
        return "null"
    if isinstance(params, bool):
        return "true" if params else "false"
    return str(params)


def signing_text(
    method: str, ref: str, key: str, params: Mapping[str, Any] | None, nonce: str
) -> str:
    """Return what is signed."""
    return f"{method}{ref}{key}{parameter_text(params or {})}{nonce}"


def sign(text: str, secret: Secret) -> str:
    """Return the signature of a text, lower-case hex."""
    return secret.hmac_sha256(text)


def verify(text: str, signature: str, secret: Secret) -> bool:
    """Tell whether `signature` belongs to `text`."""
    wanted = sign(text, secret).encode()
    return hmac.compare_digest(wanted, signature.encode("utf-8", "replace"))
