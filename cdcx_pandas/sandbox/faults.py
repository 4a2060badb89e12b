"""What can be made to go wrong, on order: a script of faults for the sandbox's server.

A fault is data: which path or channel, what happens, and how often. The server asks for the
next one that fits; nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from cdcx_pandas.errors import BadRequest

Body = Literal["json", "html", "empty"]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    where
        A path (``/v1/klines``), the stream's path, or ``*`` for every path.
    times
        How often; 0 for ever.
    skip
        How many questions pass unharmed first.
    delay_s
        Wait so long before answering.
    status, body, retry_after
        Answer this HTTP status with this kind of body.
    code
        Answer this error code in the venue's envelope, under HTTP 200.
    drop
        Close the connection without an answer.
    lose_answer
        Do what is asked, then close without an answer.
    hang
        Take the question and never answer.
    truncate
        Send half of the answer's bytes, then close.
    bomb
        Answer a compressed body that inflates to 400 MB.
    mute
        On the stream: never send anything but pings.
    """

    where: str = "*"
    times: int = 1
    skip: int = 0
    delay_s: float = 0.0
    status: int | None = None
    body: Body = "json"
    retry_after: float | None = None
    code: Any = None
    drop: bool = False
    lose_answer: bool = False
    hang: bool = False
    truncate: bool = False
    bomb: bool = False
    mute: bool = False


def read_fault(given: object) -> Fault:
    """Read a fault from JSON; `BadRequest` names what it has not."""
    known = {field.name for field in fields(Fault)}
    if not isinstance(given, dict) or not set(given) <= known:
        unknown = sorted(set(given) - known) if isinstance(given, dict) else given
        raise BadRequest(f"{unknown} is no fault.", todo=f"There are {', '.join(sorted(known))}.")
    return Fault(**given)


class Script:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault at the end."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all that has not happened."""
        self._faults.clear()

    def next_for(self, path: str) -> Fault | None:
        """Return the fault that befalls this question, and count it."""
        for at, fault in enumerate(self._faults):
            if fault.where not in ("*", path):
                continue
            if fault.skip:
                self._faults[at] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.times == 1:
                del self._faults[at]
            elif fault.times > 1:
                self._faults[at] = replace(fault, times=fault.times - 1)
            return fault
        return None
