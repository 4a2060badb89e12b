"""V1's signature: the SHA-256 of sorted names and values, with the secret at the end.

The official page says: leave out null and empty values, sort by name, join name and value
without anything between, append the secret, hash. Nothing is URL-encoded. The official
sample program appends the *name* of empty values too; servers accept both.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdcx_pandas.credentials import Secret


def signing_text(params: Mapping[str, str]) -> str:
    """Return what is hashed, without the secret that follows it."""
    return "".join(name + params[name] for name in sorted(params) if params[name])


def sign(params: Mapping[str, str], secret: Secret) -> str:
    """Return the signature of `params` (all but ``sign`` itself), lower-case hex."""
    return secret.sha256_after(signing_text(params))


def verify(params: Mapping[str, str], signature: str, secret: Secret) -> bool:
    """Tell whether `signature` belongs to `params`, in the page's or the sample's reading."""
    of_sample = "".join(name + params[name] for name in sorted(params))
    return any(
        hmac.compare_digest(wanted.encode(), signature.lower().encode("utf-8", "replace"))
        for wanted in (sign(params, secret), secret.sha256_after(of_sample))
    )
