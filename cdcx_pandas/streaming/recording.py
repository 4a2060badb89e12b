"""Recordings of live streams: every frame as it was received, and all else that mattered.

A file is gzip of JSON lines. The first says what was watched and how; each other one is an input
of the engines, with the two times at which it came: frames and the ends of connections, what the
venue was asked and what it answered. Played back in order they give the same frames again. The
file is flushed every second, so that a crash costs no more.
"""

from __future__ import annotations

import base64
import gzip
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cdcx_pandas.errors import BadRequest, ProtocolError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from cdcx_pandas.engines.tracks.track import Now

VERSION = 1
FLUSH_S = 1.0
_BYTES = "base64"


class Entry(NamedTuple):
    """One line: what happened, when, and what belongs to it."""

    kind: str
    monotonic: float
    ns: int
    about: list[Any]


class Recorder:
    """Writes a recording.

    Parameters
    ----------
    path
        The file; one that exists is not overwritten.
    header
        What was watched.

    Raises
    ------
    BadRequest
        There is such a file.
    """

    def __init__(self, path: str | os.PathLike[str], header: dict[str, Any]) -> None:
        self.path = Path(path).resolve()
        problem = ""
        try:
            self._file = gzip.open(self.path, "xb", compresslevel=1)  # noqa: SIM115  # closed by `close`
        except FileExistsError:
            is_folder = self.path.is_dir()
            problem = "It is a folder." if is_folder else "There is such a file already."
        except OSError as error:
            problem = f"{error.strerror}."
        if problem:
            raise BadRequest(
                f"record: {str(self.path)!r} cannot be written.",
                why=problem,
                todo="Name a new file in a folder that exists.",
                sent="no",
            )
        self._lock = threading.Lock()
        self._flushed_at = time.monotonic()
        self._write({"cdcx_recording": VERSION, **header})

    def note(self, kind: str, now: Now, *about: Any) -> None:
        """Write one line."""
        self._write([kind, now.monotonic, now.ns, *map(_written, about)])

    def _write(self, line: Any) -> None:
        with self._lock:
            if self._file.closed:
                return
            self._file.write(msgspec.json.encode(line) + b"\n")
            if time.monotonic() - self._flushed_at > FLUSH_S:
                self._flushed_at = time.monotonic()
                self._file.flush()

    def close(self) -> None:
        """End the file."""
        with self._lock:
            self._file.close()


def _written(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [_written(one) for one in value]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {_BYTES}:
        return base64.b64decode(value[_BYTES])
    if isinstance(value, list):
        return [_read(one) for one in value]
    return value


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the first line of a recording.

    Raises
    ------
    BadRequest
        There is no such file, or it is no recording.
    """
    why = ""
    try:
        header = next(_lines(path), None)
    except ProtocolError as error:  # not even its beginning
        header, why = None, error.why
    if not isinstance(header, dict) or header.get("cdcx_recording") != VERSION:
        raise BadRequest(
            f"{str(path)!r} is no recording that this version reads.",
            why=why,
            todo="Recordings are made by live(..., record=path).",
            sent="no",
        )
    return header


def read_entries(path: str | os.PathLike[str]) -> Iterator[Entry]:
    """Return the other lines of a recording; one that breaks off ends where it does."""
    lines = _lines(path)
    next(lines, None)
    for line in lines:
        kind, monotonic, ns, *about = line
        yield Entry(kind, monotonic, ns, [_read(one) for one in about])


def _lines(path: str | os.PathLike[str]) -> Iterator[Any]:
    problem: Exception | None = None
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield msgspec.json.decode(line)
    except EOFError:
        return  # a recording that was not closed ends where it does
    except (gzip.BadGzipFile, zlib.error, msgspec.DecodeError) as error:
        problem = ProtocolError(f"The recording {str(path)!r} is damaged.", why=f"{error}.")
    except OSError as error:
        problem = BadRequest(f"{str(path)!r} cannot be read.", why=f"{error.strerror or error}.")
    if problem is not None:
        raise problem
