"""Writes what is generated in `deploy/`, `charts/` and the package; run it after a change: `make crds`.

The CRDs come from the code's own model. The chart and the package of `nopea install` cannot read files
outside of their folders, so they have copies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from nopea.core.api.crds import git_repository_crd, inventory_crd

HERE = Path(__file__).parent
CHART = HERE.parent / "charts" / "nopea" / "files"
HEADER = "# Generated from src/nopea/core/api by deploy/generate.py; change the model, not this file.\n"
PACKAGE = HERE.parent / "src" / "nopea" / "cli" / "installation" / "manifests"
COPIED = "# A copy of deploy/{name} by deploy/generate.py; change that file, not this one.\n"
KEEP = {"helm.sh/resource-policy": "keep"}


def rendered() -> dict[str, str]:
    """Return the text of every generated file by its name in `deploy/base/crds/`."""
    return {name: _text(crd) for name, crd in _crds().items()}


def charted() -> dict[str, str]:
    """Return the text of every generated file by its name in `charts/nopea/files/`."""
    files = {f"crds/{name}": _text(_kept(crd)) for name, crd in _crds().items()}
    for name in ("rules.yaml", "dashboard.json"):
        files[name] = (HERE / "monitoring" / name).read_text(encoding="utf-8")
    return files


def packaged() -> dict[str, str]:
    """Return the text of every generated file by its name in the package; the package makes CRDs itself."""
    names = [f"base/{path.name}" for path in (HERE / "base").glob("*.yaml") if path.stem != "kustomization"]
    names += ["any-namespace/rbac.yaml", "cluster-admin/binding.yaml", "tenant/rbac.yaml"]
    names += ["read-only/own.yaml", "read-only/rbac.yaml"]
    return {
        name.replace("/", "-"): COPIED.format(name=name) + (HERE / name).read_text(encoding="utf-8")
        for name in names
    }


def _crds() -> dict[str, dict[str, Any]]:
    return {"gitrepositories.yaml": git_repository_crd(), "inventories.yaml": inventory_crd()}


def _kept(crd: dict[str, Any]) -> dict[str, Any]:
    """Return the CRD with the annotation by which Helm leaves it when the release is uninstalled."""
    metadata = crd["metadata"]
    return {**crd, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **KEEP}}}


def _text(crd: dict[str, Any]) -> str:
    return HEADER + yaml.safe_dump(crd, sort_keys=False, width=110, allow_unicode=True)


def main() -> None:
    """Write the files."""
    for folder, files in ((HERE / "base" / "crds", rendered()), (CHART, charted()), (PACKAGE, packaged())):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
