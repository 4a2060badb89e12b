"""How an update reaches its listeners when something is to go wrong, and how connections suffer.

What goes wrong is decided elsewhere: ordered by the script, or drawn by chance.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from cdcx_pandas.sandbox.faults import Fault, crossed, spoiled_frame
from cdcx_pandas.sandbox.listener import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cdcx_pandas import messages as m
    from cdcx_pandas.channels import Channel
    from cdcx_pandas.sandbox.chaos import Chaos, Diary
    from cdcx_pandas.sandbox.faults import Script
    from cdcx_pandas.sandbox.listener import Listener


class Mischief:
    """What goes wrong with the updates of one address.

    Parameters
    ----------
    script, chaos, diary
        What is ordered, what chance may do, and where it is written down.
    encode, named
        How an update is written, and what a channel is called on the wire.
    """

    def __init__(
        self,
        script: Script,
        chaos: Chaos,
        diary: Diary,
        encode: Callable[[m.Update], str | bytes],
        named: Callable[[Channel], str],
    ) -> None:
        self._script, self._chaos, self._diary = script, chaos, diary
        self._encode, self._named = encode, named

    def is_on(self, monotonic: float) -> bool:
        """Whether anything may go wrong now."""
        return bool(self._script) or self._chaos.is_on(monotonic)

    def tell(self, update: m.Update, listeners: Iterable[Listener], monotonic: float) -> None:
        """Tell an update to listeners: all suffer what is ordered, or each what chance brings."""
        fault = self._ordered(update)
        by_chance = fault is None and self._chaos.is_on(monotonic)
        payload = self._encode(update)
        for listener in listeners:
            befallen = self._drawn(update) if by_chance else fault
            if befallen is None:
                listener.push(update.channel, framed(payload))
            elif listener.is_open:
                self._diary.note(befallen.kind, listener.number)
                self._tell(befallen, update, payload, listener)

    def _ordered(self, update: m.Update) -> Fault | None:
        fault = self._script.next_on(self._named(update.channel)) if self._script else None
        if fault is not None and fault.crossed and crossed(update.answer) is None:
            self._script.put_back(fault)
            return None
        return fault

    def _drawn(self, update: m.Update) -> Fault | None:
        fault = self._chaos.of_update()
        is_vain = fault is not None and fault.crossed and crossed(update.answer) is None
        return None if is_vain else fault

    def _tell(
        self, fault: Fault, update: m.Update, payload: str | bytes, listener: Listener
    ) -> None:
        if fault.mute:
            return
        book = crossed(update.answer) if fault.crossed else None
        if book is not None:
            payload = self._encode(replace(update, answer=book))
        frame = framed(spoiled_frame(fault, payload)) * (2 if fault.twice else 1)
        if fault.delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(fault.delay_s, _write, fault, update.channel, frame, listener)
        else:
            _write(fault, update.channel, frame, listener)


def _write(fault: Fault, channel: Channel, frame: bytes, listener: Listener) -> None:
    """Write a frame, or do what was ordered instead."""
    if suffer(fault, listener):
        return
    if fault.swap:
        listener.hold(channel, frame)
    elif fault.delay_s:
        listener.write(frame)
    else:
        if fault.cut_inside:
            listener.cut_inside()
        listener.push(channel, frame)


def suffer(fault: Fault, listener: Listener) -> bool:
    """Do to a connection what was ordered; tell whether it is over with it."""
    if fault.drop:
        listener.abort()
    elif fault.close is not None:
        listener.close(fault.close)
    elif fault.half_open:
        listener.fall_silent()
    else:
        return False
    return True
