"""What a removal keeps, and who lets go of GitRepositories."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import DEPLOYMENT, REPOSITORIES, UNINSTALL_SECONDS, repository
from tests.e2e.commands import say
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.gitserver import Origin

from nopea_lab.lab import Lab

MAP = "/api/v1/namespaces/default/configmaps/web"
MAP_YAML = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
"""


def test_uninstall_can_keep_the_definitions(clean: Lab) -> None:
    """The next installation goes on with the same GitRepositories."""
    assert say(clean, "install", "--no-wait").code == 0
    assert clean.request("POST", REPOSITORIES, repository()).status == 201

    said = say(clean, "uninstall", "--yes", "--keep-crds", seconds=UNINSTALL_SECONDS)
    before = say(clean, "doctor", "--pre")

    assert said.code == 0, said.err
    assert clean.request("GET", f"{REPOSITORIES}/web").body["metadata"]["finalizers"]
    assert clean.request("GET", DEPLOYMENT).status == 404
    assert "An earlier installation left its kinds, and 1 GitRepository" in before.out


def test_a_running_controller_lets_go_itself(clean: Lab, tmp_path: Path) -> None:
    """What it applied stays, although the policy of the GitRepository is to delete it."""
    assert say(clean, "install", "--no-wait").code == 0
    origin = Origin(tmp_path / "web.git")
    origin.commit({"web.yaml": MAP_YAML})
    running = Nopea(kubeconfig=clean.kubeconfig, folder=tmp_path / "nopea", arguments=("--allow-file-urls",))
    try:
        running.wait_until_ready()
        spec = {"url": f"file://{origin.path}", "deletionPolicy": "Delete"}
        assert clean.request("POST", REPOSITORIES, {**repository(finalizers=[]), "spec": spec}).status == 201
        eventually(lambda: _applied(clean))

        said = say(clean, "uninstall", "--yes", seconds=UNINSTALL_SECONDS)

        assert said.code == 0, said.err
        assert _applied(clean)
        assert running.logs("objects kept") or "abandon" in running.log_text()
    finally:
        running.kill()
        clean.request("DELETE", MAP)


def _applied(lab: Lab) -> bool:
    assert lab.request("GET", MAP).status == 200
    return True
