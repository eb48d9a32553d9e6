"""Print where the tests do not mirror the sources: `python tests/layout.py` prints a line per problem.

Each module has a test file of the same name: at the same place below tests/unit, or directly in a folder of
tests that need a real server. A second file for a module adds words to the name. Each unit test file has a
module. No class name is defined twice, and no module is longer than `MAX_LINES`.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_LINES = 400
PROJECT = Path(__file__).parents[1]
_FREE = {"docs", "deploy", "test_layout_of_tests.py", "test_wheel.py"}  # their subject is not a module


@dataclass(frozen=True, slots=True)
class Package:
    """A package's folder, the folder of its tests, and the test folder of modules outside any folder."""

    sources: Path
    tests: Path
    root_room: str

    def modules(self) -> Iterator[Path]:
        """Yield the modules that need tests: all but `__init__` and `__main__`."""
        for path in sorted(self.sources.rglob("*.py")):
            if path.name not in {"__init__.py", "__main__.py"}:
                yield path.relative_to(self.sources)

    def test_files(self, module: Path) -> tuple[Path, Path]:
        """Return where the module's tests may be: the unit tests, and those that need a real server."""
        name = f"test_{module.name}"
        room = module.parts[0] if len(module.parts) > 1 else self.root_room
        return self.tests / "unit" / module.parent / name, self.tests / room / name


LAB = PROJECT / "lab"
PACKAGES = (
    Package(PROJECT / "src" / "nopea", PROJECT / "tests", "e2e"),
    Package(LAB / "src" / "nopea_lab", LAB / "tests", "plane"),
)


def problems() -> list[str]:
    """Return a sentence for each module, test file or class that breaks the layout."""
    found = [line for package in PACKAGES for line in (*_untested(package), *_orphans(package))]
    return [*found, *_long_modules(), *_repeated_classes()]


def _untested(package: Package) -> Iterator[str]:
    for module in package.modules():
        candidates = package.test_files(module)
        if not any(path.exists() for path in candidates):
            shown = (package.sources / module).relative_to(PROJECT)
            yield f"{shown} has no test file; expected {candidates[0].relative_to(PROJECT)}."


def _orphans(package: Package) -> Iterator[str]:
    units = package.tests / "unit"
    for path in sorted(units.rglob("test_*.py")):
        test = path.relative_to(units)
        if test.parts[0] in _FREE:
            continue
        words = test.stem.removeprefix("test_").split("_")
        names = [
            "_".join(words[:count]) for count in range(1, len(words) + 1)
        ]  # `test_sync_faults` is about `sync`
        places = [package.sources / test.parent / name for name in names]
        if not any(place.is_dir() or place.with_suffix(".py").exists() for place in places):
            yield f"{path.relative_to(PROJECT)} has no module {test.parent / names[-1]}.py."


def _long_modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted(package.sources.rglob("*.py")):
            count = len(path.read_text().splitlines())
            if count > MAX_LINES:
                yield f"{path.relative_to(PROJECT)} has {count} lines; at most {MAX_LINES} are allowed."


def _repeated_classes() -> Iterator[str]:
    places = defaultdict(list)
    for package in PACKAGES:
        for path in sorted(package.sources.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(path.relative_to(PROJECT)))
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            yield f"Class {name} is defined in {', '.join(paths)}."


if __name__ == "__main__":
    found = problems()
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(1 if found else 0)
