"""Key and secret as a value that no repr, pickle, copy or traceback shows.

This module knows where a person keeps a key and how to keep it from leaking. Which venue a
key may serve is decided in `venues`; how a request is signed, in the dialects.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import tomllib
from getpass import getpass
from pathlib import Path
from typing import Any, Literal, NoReturn

from cdcx_pandas.errors import AuthError, MissingCredentials, PartialCredentials

Environment = Literal["production", "uat"]

ENV_KEY, ENV_SECRET = "CDCX_API_KEY", "CDCX_API_SECRET"  # the names of variables, no secrets
_CONFIG = "~/.config/cdcx/config.toml"


class Secret:
    """A text that can be used and not seen.

    It answers with digests only, so the text never becomes a local variable that a verbose
    traceback could print.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def sha256_after(self, text: str) -> str:
        """Return the SHA-256 of `text` followed by the secret, in hex (V1's signature)."""
        return hashlib.sha256((text + self._text).encode()).hexdigest()

    def hmac_sha256(self, message: str) -> str:
        """Return the HMAC-SHA256 of `message` under the secret, in hex."""
        return hmac.new(self._text.encode(), message.encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Secrets cannot be pickled or copied.")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__reduce__()


class Credentials:
    """An API key and its secret.

    Parameters
    ----------
    key, secret
        As the exchange's web site showed them, once (User Center → API).

    Examples
    --------
    >>> Credentials("mZhlB7z8dDXXdL74", "qg7fPyVj43tvfWBX")
    Credentials(key sha256:81b08a, passed)

    Notes
    -----
    ``repr`` shows the first six hex digits of the key's SHA-256, never a part of the key. The
    object cannot be pickled or copied.
    """

    __slots__ = ("_key", "environment", "secret", "source")

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        source: str = "passed",
        environment: Environment | None = None,
    ) -> None:
        if not key and not secret:
            raise MissingCredentials(
                "The API key and its secret are empty.",
                todo=f"Pass both, or set {ENV_KEY} and {ENV_SECRET}.",
            )
        if not key or not secret:
            there, missing = ("key", "secret") if key else ("secret", "key")
            raise PartialCredentials(
                f"There is an API {there} but no {missing}.",
                why=f"Source: {source}. Halves from different sources are never mixed.",
                todo="Give both from one place.",
            )
        for name, text in (("key", key), ("secret", secret)):
            if not (text.isascii() and text.isprintable()) or text != text.strip():
                raise AuthError(
                    f"The API {name} holds characters no key has (spaces, line breaks or letters"
                    " outside ASCII).",
                    why=f"Source: {source}. It often happens when copying from a web page.",
                    todo="Copy it again, without the surroundings.",
                )
        self._key = key
        self.secret = Secret(secret)
        self.source = source
        self.environment = environment

    @property
    def fingerprint(self) -> str:
        """Six hex digits that tell keys apart and betray none."""
        return hashlib.sha256(self._key.encode()).hexdigest()[:6]

    def key_for_the_wire(self) -> str:
        """Return the key itself; only dialects call this, when writing a request."""
        return self._key

    def __repr__(self) -> str:
        return f"Credentials(key sha256:{self.fingerprint}, {self.source})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Credentials cannot be pickled or copied.")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__reduce__()

    @classmethod
    def prompt(cls) -> Credentials:
        """Ask the person at the keyboard; what is typed is not shown."""
        return cls(getpass("API key: ").strip(), getpass("API secret: ").strip(), source="typed")

    @classmethod
    def from_keyring(cls, profile: str = "default") -> Credentials:
        """Read from the operating system's keyring (needs the `keyring` package)."""
        try:
            import keyring
        except ImportError:
            keyring = None
        if keyring is None:
            raise MissingCredentials(
                "The keyring package is not installed.", todo="pip install keyring"
            )
        return cls(
            keyring.get_password("cdcx_pandas", f"{profile}:key") or "",
            keyring.get_password("cdcx_pandas", f"{profile}:secret") or "",
            source="keyring",
        )


def find_credentials(profile: str | None = None) -> Credentials | None:
    """Return the first complete pair of the environment and the configuration file, or None.

    Parameters
    ----------
    profile
        A ``[profiles.NAME]`` of the file; ``[default]`` without.

    Raises
    ------
    PartialCredentials
        A source holds one half only.
    AuthError
        The file can be read by others.
    """
    key, secret = os.environ.get(ENV_KEY, ""), os.environ.get(ENV_SECRET, "")
    if key or secret:
        return Credentials(key, secret, source="environment", environment="production")
    path = Path(_CONFIG).expanduser()
    if not path.exists():
        return None
    return _from_file(path, profile)


def _from_file(path: Path, profile: str | None) -> Credentials | None:
    _refuse_readable_by_others(path)
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        config = None  # the parser's own message would quote the line: perhaps the secret's
    if config is None:
        raise AuthError(f"{path} is not a TOML file.", todo="Mend it, or move it away.")
    section = config.get("profiles", {}).get(profile) if profile else config.get("default")
    if not section:
        return None
    environment = str(section.get("environment", "production"))
    return Credentials(
        str(section.get("api_key", "")),
        str(section.get("api_secret", "")),
        source=str(path),
        environment="uat" if environment.lower() in {"uat", "sandbox", "test"} else "production",
    )


def _refuse_readable_by_others(path: Path) -> None:
    if os.name != "posix":
        return
    for place, wanted in ((path, 0o600), (path.parent, 0o700)):
        mode = stat.S_IMODE(place.stat().st_mode)
        if mode & 0o077:
            raise AuthError(
                f"Others on this machine can reach {place} (mode {mode:o}).",
                why="It holds an API secret.",
                todo=f"chmod {wanted:o} {place}",
            )
