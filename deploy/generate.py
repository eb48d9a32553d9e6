"""Writes `deploy/base/crds/` from the code's own model; run it after changing the model: `make crds`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from nopea.core.api.crds import git_repository_crd, inventory_crd

HEADER = "# Generated from src/nopea/core/api by deploy/generate.py; change the model, not this file.\n"


def rendered() -> dict[str, str]:
    """Return the text of every generated file by its name in `deploy/base/crds/`."""
    return {
        "gitrepositories.yaml": _text(git_repository_crd()),
        "inventories.yaml": _text(inventory_crd()),
    }


def _text(crd: dict[str, Any]) -> str:
    return HEADER + yaml.safe_dump(crd, sort_keys=False, width=110, allow_unicode=True)


def main() -> None:
    """Write the files."""
    folder = Path(__file__).parent / "base" / "crds"
    folder.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
