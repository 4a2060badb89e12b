"""Keys: where they come from, and where they never go."""

from __future__ import annotations

import copy
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from cdcx_pandas.credentials import Credentials, Secret, find_credentials
from cdcx_pandas.errors import AuthError, MissingCredentials, PartialCredentials

KEY, SECRET = "CANARYkeyCANARY0", "CANARYsecretCANARY0"


def config(home: Path, text: str, mode: int = 0o600, folder_mode: int = 0o700) -> Path:
    """Write the configuration file."""
    folder = home / ".config" / "cdcx"
    folder.mkdir(parents=True, mode=folder_mode)
    folder.chmod(folder_mode)
    file = folder / "config.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the test's home folder."""
    return tmp_path / "home"


def test_nothing_found_is_none() -> None:
    """Without any source there are no credentials, and no error."""
    assert find_credentials() is None


def test_the_environment_comes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first complete source wins."""
    config(home, f'[default]\napi_key = "fromfile"\napi_secret = "{SECRET}"\n')
    found = find_credentials()
    assert found is not None
    assert found.source.endswith("config.toml")
    monkeypatch.setenv("CDCX_API_KEY", KEY)
    monkeypatch.setenv("CDCX_API_SECRET", SECRET)
    found = find_credentials()
    assert found is not None
    assert (found.source, found.key_for_the_wire()) == ("environment", KEY)


def test_halves_are_never_mixed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key here and a secret there are no pair."""
    config(home, f'[default]\napi_secret = "{SECRET}"\n')
    monkeypatch.setenv("CDCX_API_KEY", KEY)
    with pytest.raises(PartialCredentials, match="an API key but no secret") as caught:
        find_credentials()
    assert KEY not in str(caught.value)
    monkeypatch.delenv("CDCX_API_KEY")
    with pytest.raises(PartialCredentials, match="an API secret but no key"):
        find_credentials()


def test_profiles_and_environments_are_read(home: Path) -> None:
    """The file is shared with the exchange's own tool: profiles, and its test system."""
    config(
        home,
        '[default]\napi_key="a"\napi_secret="b"\n'
        '[profiles.test]\napi_key="c"\napi_secret="d"\nenvironment="uat"\n',
    )
    default, test = find_credentials(), find_credentials("test")
    assert default is not None
    assert test is not None
    assert (default.environment, test.environment) == ("production", "uat")
    assert find_credentials("other") is None


@pytest.mark.parametrize(("mode", "folder"), [(0o644, 0o700), (0o600, 0o755), (0o640, 0o700)])
def test_a_file_others_can_read_is_refused(home: Path, mode: int, folder: int) -> None:
    """The error says which place, and what to type."""
    file = config(home, f'[default]\napi_key="{KEY}"\napi_secret="{SECRET}"\n', mode, folder)
    with pytest.raises(AuthError) as caught:
        find_credentials()
    assert "Others on this machine can reach" in str(caught.value)
    assert f"chmod {'600' if mode != 0o600 else '700'} " in str(caught.value)
    assert str(file.parent) in str(caught.value)


def test_a_damaged_file_is_told_without_quoting_it(home: Path) -> None:
    """A parser's message would show the line, and the line may hold the secret."""
    config(home, f'[default]\napi_secret = "{SECRET}\n')
    with pytest.raises(AuthError, match="is not a TOML file") as caught:
        find_credentials()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("key", "secret"), [(f" {KEY}", SECRET), (KEY, SECRET + "\n"), ("ключ", SECRET)]
)
def test_what_no_key_can_be_is_refused(key: str, secret: str) -> None:
    """Spaces and line breaks come from copying; they would only give wrong signatures."""
    with pytest.raises(AuthError, match="holds characters no key has"):
        Credentials(key, secret)


def test_empty_ones_are_missing() -> None:
    """Nothing is no credentials, and half is its own error."""
    with pytest.raises(MissingCredentials):
        Credentials("", "")
    with pytest.raises(PartialCredentials):
        Credentials(KEY, "")


def test_no_text_shows_them() -> None:
    """repr, str, format, vars and verbose tracebacks show a fingerprint and stars."""
    me = Credentials(KEY, SECRET)
    shown = [repr(me), str(me), f"{me}", f"{me.secret}", f"{me.secret:>20}", repr(me.secret)]
    shown += [str(me.secret), repr([me]), str({"a": me.secret})]
    assert repr(me) == f"Credentials(key sha256:{me.fingerprint}, passed)"
    assert len(me.fingerprint) == 6

    def sign(credentials: Credentials) -> str:
        text = credentials.secret.sha256_after("x")
        raise RuntimeError(len(text))

    try:
        sign(me)
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown.append("".join(told.format()))
    locals_shown = shown[-1]
    assert "Credentials(key sha256:" in locals_shown
    assert not any(SECRET in text or KEY in text for text in shown)
    for holder in (me, me.secret):
        with pytest.raises(TypeError):
            vars(holder)


@pytest.mark.parametrize("carry", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("what", [Credentials(KEY, SECRET), Secret(SECRET)], ids=["pair", "secret"])
def test_they_cannot_be_carried_away(carry: Any, what: object) -> None:
    """Neither pickled nor copied, so they do not get into caches or other processes."""
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        carry(what)


def test_digests_are_those_of_the_standard_library() -> None:
    """SHA-256 after a text (V1) and HMAC-SHA256 (today's API), with known values."""
    # The official example of V1, and one of today's API (public/auth).
    v1 = Secret("qg7fPyVj43tvfWBX83pSB7s8ZajHD1ve")
    text = "api_keymZhlB7z8dDXXdL74uwoIoqAtPQSpY6Mktime1573789761928"
    assert v1.sha256_after(text) == (
        "566812d7cddd99c796516ca2071db0fc8aaaa35a37c276b43b8188e1a930d4ca"
    )
    assert Secret("secretKey").hmac_sha256("public/auth11token1589594102779") == (
        "9dcebf6eeec155f829227ee447dee73120e0aead42fab74d38ed5d8271793dc8"
    )
