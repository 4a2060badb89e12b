"""The architecture page matches the tree.

What each module knows is said once, in the first paragraph of its docstring; the page shows it.
``python -m tests.guide.test_architecture`` writes that part of the page anew.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- modules: made by python -m tests.guide.test_architecture -->\n"
END = "<!-- end of modules -->\n"


def first_sentence(path: Path) -> str:
    """Return what a module says of itself first."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(told.partition("\n\n")[0].split()).replace("``", "`")
    return first.removesuffix(".")


def modules() -> str:
    """Return the modules of every folder as Markdown."""
    lines = []
    package = ROOT / "cdcx_pandas"
    for folder in sorted({path.parent for path in package.rglob("*.py")}):
        names = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("__")]
        about = first_sentence(folder / "__init__.py")
        title = folder.relative_to(ROOT).as_posix()
        lines += [f"**`{title}/`** {about}", "", "| module | what it knows |", "|---|---|"]
        lines += [f"| `{path.stem}` | {first_sentence(path)} |" for path in names]
        lines.append("")
        if not names:
            lines[-5:] = [lines[-5], ""]
    return "\n".join(lines)


def written(page: str) -> str:
    """Return the page with the modules as they are."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{modules()}{END}{tail}"


def test_every_module_has_its_line() -> None:
    """If not: python -m tests.guide.test_architecture."""
    page = PAGE.read_text(encoding="utf-8")
    assert BEGIN in page
    assert END in page
    assert page == written(page)


def test_the_floors_are_those_the_source_is_held_to() -> None:
    """The table of floors names what stands on each, as pyproject.toml has it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "cdcx_pandas"
    told: dict[int, set[str]] = {}
    for floor, names in re.findall(
        r"^\| (\d+) \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    ):
        told[int(floor)] = set(re.findall(r"`(\w+)`", names))
    for floor, names in enumerate(settings["tool"]["cdcx"]["layers"]["floors"]):
        here = {n for n in names if (package / n).is_dir() or (package / f"{n}.py").is_file()}
        assert told.get(floor, set()) == here, f"floor {floor}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
