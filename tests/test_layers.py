"""The package imports downwards: the floors in pyproject.toml, held against the source."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = "cdcx_pandas"
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RULES: dict[str, Any] = CONFIGURATION["tool"]["cdcx"]["layers"]
FLOOR = {name: number for number, names in enumerate(RULES["floors"]) for name in names}


class Import(NamedTuple):
    """One import: its line, its full dotted name, and whether a function must run first."""

    line: int
    name: str
    deferred: bool


def module_of(path: Path) -> str:
    """Return the module's dotted name within the package; `dialects/__init__.py` is `dialects`."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def is_in(name: str, owner: str) -> bool:
    """Return whether a dotted name is the owner or something inside it."""
    return name == owner or name.startswith(f"{owner}.")


def top_of(name: str) -> str:
    """Return which entry of the floors an import of the package means."""
    top = name.removeprefix(PACKAGE).strip(".").partition(".")[0]
    return top if top in FLOOR else "__init__"


def imports(source: str, folder: tuple[str, ...]) -> Iterator[Import]:
    """Yield the imports of a source: those for the type checker and those by name as well."""
    tree = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    deferred = {c for f in ast.walk(tree) if isinstance(f, functions) for c in ast.walk(f)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                above = folder[: len(folder) + 1 - level] if level else ()
                base = (*above, module) if module else above
                found = [".".join((*base, alias.name)) for alias in names]
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found = [name]
            case _:
                continue
        yield from (Import(node.lineno, name, node in deferred) for name in found)


def complaints(module: str, found: Import) -> Iterator[str]:
    """Yield what is wrong with one import of one module."""
    here, name = module.partition(".")[0], found.name
    if is_in(name, PACKAGE):
        there = top_of(name)
        excepted = found.deferred and [here, there] in RULES["inside_functions"]
        if there != here and FLOOR[there] >= FLOOR[here] and not excepted:
            yield f"{name}: floor {FLOOR[there]} is not below {here}'s floor {FLOOR[here]}"
    if FLOOR[here] <= RULES["pure_up_to"]:
        yield from (f"{name}: {here} is pure" for bad in RULES["pure_never"] if is_in(name, bad))
    for owner, never in RULES["never"].items():
        if is_in(module, owner):
            yield from (f"{name}: never in {owner}" for bad in never if is_in(name, bad))


@pytest.mark.parametrize("path", sorted((ROOT / PACKAGE).rglob("*.py")), ids=module_of)
def test_imports_downwards(path: Path) -> None:
    """A module has a floor, and imports what its floor may."""
    module = module_of(path)
    assert module.partition(".")[0] in FLOOR, f"{module} has no floor in pyproject.toml"
    source = path.read_text("utf-8")
    folder = path.relative_to(ROOT).parent.parts
    wrong = [
        f"{path.relative_to(ROOT)}:{found.line} imports {complaint}"
        for found in imports(source, folder)
        for complaint in complaints(module, found)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "from cdcx_pandas import session"),
        ("tables", "from cdcx_pandas.credentials import Credentials"),
        ("frames.schema", "from cdcx_pandas.dialects.v1 import wire"),
        ("dialects.v1.rest", "from ..exchange import wire"),
        ("dialects.v1.rest", "from cdcx_pandas.dialects import exchange"),
        ("dialects.base", "import pandas as pd"),
        ("engines.ask", "import time"),
        ("engines.ask", "from urllib.request import urlopen"),
        ("analysis.bars", "def f():\n    import threading"),
        ("sandbox.server", "from cdcx_pandas.session import Session"),
        ("streaming.live", "from cdcx_pandas.widgets import live"),
        ("launch", "import importlib\nimportlib.import_module('cdcx_pandas.sandbox')"),
        ("session", "from cdcx_pandas import klines"),
    ],
)
def test_a_wrong_import_is_seen(module: str, source: str) -> None:
    """Each rule refuses what it is there for, in whichever form the import is written."""
    folder = (PACKAGE, *module.split(".")[:-1])
    assert [c for found in imports(source, folder) for c in complaints(module, found)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("dialects.v1.rest", "from . import wire\nfrom ..base import Endpoint"),
        ("engines.ask", "from urllib.parse import urlencode\nfrom datetime import time"),
        ("streaming.live", "def show():\n    from cdcx_pandas.widgets import live"),
        ("__init__", "from cdcx_pandas.marketdata import klines"),
    ],
)
def test_a_right_import_is_let_through(module: str, source: str) -> None:
    """The rules refuse nothing that the floors allow."""
    folder = (PACKAGE, *module.split(".")[:-1])
    assert not [c for found in imports(source, folder) for c in complaints(module, found)]


# ---------------------------------------------------------------------- dialects are one of many

DIALECT_NAMES = frozenset(
    path.name for path in (ROOT / PACKAGE / "dialects").iterdir() if (path / "__init__.py").exists()
)
# The sandbox's command line puts the wires together, each with options of its own.
MAY_NAME_A_DIALECT = ("dialects", "venues", "sandbox.main")


def named_dialects(source: str, folder: tuple[str, ...]) -> Iterator[str]:
    """Yield where a source imports one dialect, or compares something with a dialect's name."""
    for found in imports(source, folder):
        if any(is_in(found.name, f"{PACKAGE}.dialects.{name}") for name in DIALECT_NAMES):
            yield f"{found.line}: imports {found.name}"
    for node in ast.walk(ast.parse(source)):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            inner = [c.elts for c in sides if isinstance(c, (ast.Tuple, ast.List, ast.Set))]
            sides += [side for elements in inner for side in elements]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            if isinstance(side, ast.Constant) and side.value in DIALECT_NAMES:
                yield f"{side.lineno}: compares with {side.value!r}"


@pytest.mark.parametrize("path", sorted((ROOT / PACKAGE).rglob("*.py")), ids=module_of)
def test_no_dialect_is_named_outside(path: Path) -> None:
    """Only the dialects and the venues know which dialects there are."""
    module = module_of(path)
    if any(is_in(module, owner) for owner in MAY_NAME_A_DIALECT):
        return
    folder = path.relative_to(ROOT).parent.parts
    assert not list(named_dialects(path.read_text("utf-8"), folder))


@pytest.mark.parametrize(
    "source",
    [
        "from cdcx_pandas.dialects.v1 import V1",
        "from cdcx_pandas.dialects import exchange",
        "if dialect.name == 'v1': pass",
        "if name in {'exchange', 'x'}: pass",
        "match name:\n    case 'v1': pass",
    ],
)
def test_a_named_dialect_is_seen(source: str) -> None:
    """The rule finds each form."""
    assert list(named_dialects(source, (PACKAGE,)))
