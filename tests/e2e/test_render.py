"""`nopea render`, and `plan` and `diff` of folders that are rendered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.process import PROGRAM
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site

OVERLAY = {
    "overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\n",
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": yamls.text(yamls.config_map("web", colour="blue")),
}


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def _working_copy(root: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=_write(root, OVERLAY), check=True)
    return root / "overlays" / "prod"


def _render(folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command without a kubeconfig."""
    env = {**os.environ, "KUBECONFIG": str(home / "none"), "HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "render", str(folder)],
        env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_render_needs_no_cluster(tmp_path: Path) -> None:
    """Neither a kubeconfig nor an API server is asked."""
    done = _render(_working_copy(tmp_path / "copy"), tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("---\n# Source: base/web.yaml#1\napiVersion: v1\nkind: ConfigMap\n")
    assert "name: prod-web\n" in done.stdout


def test_what_a_rendering_leaves_out_is_said(tmp_path: Path) -> None:
    """A chart's hook that is not applied is a note on standard error, not a problem."""
    hook = yamls.config_map("hook", a="b")
    hook["metadata"]["annotations"] = {"helm.sh/hook": "test"}
    chart = {
        "Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        "templates/web.yaml": yamls.text(yamls.config_map("{{ .Release.Name }}-web", a="b")),
        "templates/hook.yaml": yamls.text(hook),
    }

    done = _render(_write(tmp_path / "chart", chart), tmp_path)

    assert done.returncode == 0, done
    assert "name: release-name-web\n" in done.stdout
    assert "name: hook" not in done.stdout
    assert "hook" in done.stderr


def test_an_overlay_is_planned(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """The base lies beside the folder: its root is that of the working copy."""
    said = say(cluster.lab, "plan", "-f", str(_working_copy(tmp_path)), "-n", namespace)

    assert said.code == 1, said
    assert f"create ConfigMap {namespace}/prod-web: not there  base/web.yaml#1" in said.out


def test_a_base_outside_of_the_root_says_what_to_do(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Without a working copy, the user names the root."""
    root = _write(tmp_path, OVERLAY)

    said = say(cluster.lab, "plan", "-f", str(root / "overlays" / "prod"), "-n", namespace)

    assert said.code == 3, said
    assert "NOPEA-R008 kustomization.yaml:1" in said.err
    assert "counts as the root of the repository" in said.err
    said = say(cluster.lab, "plan", "-f", str(root), "--path", "overlays/prod", "-n", namespace)
    assert (said.code, f"create ConfigMap {namespace}/prod-web" in said.out) == (1, True), said


def test_diff_and_plan_of_a_repository_with_an_overlay(site: Site, tmp_path: Path) -> None:
    """Both compare what is rendered, and name the file of the base."""
    repo = site.sync("shop", OVERLAY, path="overlays/prod", healPolicy="manual")
    place = site.place("v1 configmaps", "prod-web")
    site.cluster.merge(place, {"data": {"colour": "red"}})

    def drifted() -> None:
        assert repo.status().get("driftedCount") == 1

    eventually(drifted)

    diff = say(site.cluster.lab, "diff", "shop", "-n", site.namespace)
    assert diff.code == 1, diff
    assert f"ConfigMap {site.namespace}/prod-web: policy  base/web.yaml#1" in diff.out
    assert ".data.colour: red by " in diff.out

    changed = {**OVERLAY, "base/web.yaml": yamls.text(yamls.config_map("web", colour="green"))}
    folder = str(_write(tmp_path, changed))
    plan = say(site.cluster.lab, "plan", "-f", folder, "--for", "shop", "-n", site.namespace)
    assert plan.code == 1, plan
    assert "-  colour: red\n    +  colour: green" in plan.out

    rendered = say(site.cluster.lab, "render", "shop", "-n", site.namespace, "-o", "name")
    assert (rendered.code, rendered.out) == (0, f"ConfigMap {site.namespace}/prod-web\n"), rendered


def test_a_folder_for_a_repository_has_its_variables(site: Site, tmp_path: Path) -> None:
    """They come from the ConfigMaps in the namespace of the GitRepository, in plain manifests too."""
    site.cluster.put(site.place("v1 configmaps", "variables"), yamls.config_map("variables", colour="blue"))
    files = {"web.yaml": yamls.text(yamls.config_map("web", colour="${colour}"))}
    reference = {"kind": "ConfigMap", "name": "variables"}
    site.sync("shop", files, substituteFrom=[reference])

    folder = str(_write(tmp_path, {"web.yaml": files["web.yaml"].replace("${colour}", "dark${colour}")}))
    said = say(site.cluster.lab, "plan", "-f", folder, "--for", "shop", "-n", site.namespace)

    assert said.code == 1, said
    assert "-  colour: blue\n    +  colour: darkblue" in said.out
