"""The live view in a notebook: a widget, and where it is shown.

Knows the notebook's side of things: how a view comes on the screen, that a cell run again shows
the same view, and that a stopped one leaves a picture. The moving picture itself is
``static/*.js``; what is carried to it, and when, is the pump's business.

Data goes by messages, not by traits: a trait would be kept, compared and saved for each frame.
"""

from __future__ import annotations

import re
import sys
import threading
import weakref
from importlib import resources
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
from IPython.core.getipython import get_ipython
from IPython.display import display

from cdcx_pandas.widgets import still
from cdcx_pandas.widgets.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdcx_pandas.widgets.source import Source

_STATIC = resources.files("cdcx_pandas.widgets") / "static"
SCRIPTS = ("scene.js", "chart.js", "live.js")
"""The front end, lowest floor first; each imports from those before it."""
_OWN_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z]+\.js";\n', re.MULTILINE)

WIDGET = "application/vnd.jupyter.widget-view+json"

_VIEWS: weakref.WeakSet[LiveView] = weakref.WeakSet()
_SHOWING = threading.Lock()


def front_end() -> str:
    """Return the front end as one module: a notebook can be handed one, and only as text."""
    files = [(_STATIC / name).read_text("utf-8") for name in SCRIPTS]
    return "\n".join(_OWN_IMPORT.sub("", file) for file in files)


class LiveView(anywidget.AnyWidget):
    """What a notebook shows of a source while it lives.

    Parameters
    ----------
    source
        What is shown at first; the pickers may show another.
    """

    # Text, read once: a path would start a thread that watches the file.
    _esm = front_end()
    _css = (_STATIC / "live.css").read_text("utf-8")

    def __init__(self, source: Source) -> None:
        self._display_id = f"cdcx-{uuid4().hex}"
        self._is_frozen = False
        self._was_seen = False
        self._freezing = threading.Lock()
        self.pump = Pump(source, weakly(self.send), weakly(self.freeze))
        super().__init__()
        weakref.finalize(self, self.pump.end)
        self.on_msg(weakly(self._on_message))
        self.pump.start()
        _VIEWS.add(self)

    @property
    def is_over(self) -> bool:
        """Whether it moves no more."""
        return self._is_frozen or self.comm is None

    def show(self) -> None:
        """Put the view into the output of the cell that runs now."""
        told = still.summary(self.pump.source.scene(self.pump.symbol, None))
        model = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        shown = {"text/plain": told, WIDGET: model}
        display(shown, raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]  # IPython's

    def freeze(self) -> None:
        """Put a picture in the place of the view, wherever it is shown, and end it."""
        with self._freezing:
            if self.is_over:
                return
            self._is_frozen = True
        self.pump.end()
        picture = self._last_picture()
        display(picture, raw=True, display_id=self._display_id, update=True)  # type: ignore[no-untyped-call]  # IPython's
        if self._was_seen:
            # A page that was reloaded no longer knows which output to update, so the front end
            # gets the picture as well; it answers "gone" when nothing shows the view any more.
            self.send({"kind": "frozen", "png": picture.get("image/png")})
        else:
            self.close()

    def _last_picture(self) -> dict[str, Any]:
        try:
            scene = self.pump.source.scene(self.pump.symbol, None)
            return still.bundle(scene | {"state": "stopped"})
        except Exception as error:  # noqa: BLE001  # a stop must stop, with or without picture
            return {"text/plain": f"{self.pump.source.symbols[0]} stopped (no picture: {error})"}

    def close(self) -> None:
        """End the view and forget it, with its layout."""
        self.pump.end()
        layout = self._trait_values.get("layout")  # not made just to be closed
        super().close()
        if layout is not None:
            layout.close()

    def _on_message(self, _widget: object, content: Any, _buffers: object) -> None:
        """Queue what the front end wants; this may run on any thread, beside the person's code."""
        match content:
            case {"do": "gone"}:
                if self._is_frozen:
                    self.close()
            case {"do": str()}:
                self._was_seen = True
                self.pump.order(content)
            case _:
                pass  # nothing our front end says


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return a call of a method that does not keep its object alive."""
    held = weakref.WeakMethod(method)

    def call(*args: Any) -> None:
        if (alive := held()) is not None:
            alive(*args)

    return call


def show(source: Source) -> None:
    """Show a source in the output of the cell that runs now.

    Shown again, it is the same view; a source that has stopped shows its picture; where no
    kernel is, a line of text.
    """
    if getattr(get_ipython(), "kernel", None) is None:
        sys.stdout.write(still.summary(source.scene(None, None)) + "\n")
    elif source.is_stopped:
        display(still.bundle(source.scene(None, None)), raw=True)  # type: ignore[no-untyped-call]  # as above
    else:
        view_of(source).show()


def view_of(source: Source) -> LiveView:
    """Return the view of a source: the one there is, or a new one."""
    with _SHOWING:
        for view in list(_VIEWS):
            if view.pump.home is source and not view.is_over:
                return view
        return LiveView(source)


def freeze_views_of(source: Source) -> None:
    """Leave a picture in every place where a source is shown; called when it stops.

    A view that only visits the source, having come from another by a picker, goes back there.
    """
    for view in list(_VIEWS):
        if view.is_over:
            continue
        if view.pump.home is source:
            view.freeze()
        elif view.pump.source is source:
            view.pump.go_home()
