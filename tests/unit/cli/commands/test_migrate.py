"""`nopea migrate` with a folder, and with a cluster in memory."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from tests.unit.cli.conftest import Commands

from nopea.cli.main import main

APPLICATION = """apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  source: {repoURL: "https://git.example/web", targetRevision: main, path: deploy}
  destination: {server: "https://kubernetes.default.svc"}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
"""


def test_objects_are_printed_with_their_origin(commands: Commands, tmp_path: Path) -> None:
    """Standard output is a stream of YAML documents, the summary is on standard error."""
    (tmp_path / "web.yaml").write_text(APPLICATION)

    result = commands.run("migrate", "-f", str(tmp_path))

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        "---\n# From: Application argocd/web in web.yaml#1\napiVersion: nopea.io/v1alpha1\n"
    )
    assert "1 object became a GitRepository, 0 did not." in result.stderr


def test_what_is_not_mapped_is_a_comment(commands: Commands, tmp_path: Path) -> None:
    """The exit code says it too."""
    (tmp_path / "web.yaml").write_text(f"{APPLICATION}  info: [{{name: a, value: b}}]\n")

    result = commands.run("migrate", "-f", str(tmp_path))

    assert result.exit_code == 1
    assert "# not mapped: spec.info\n" in result.stdout
    assert "Not all fields of 1 of them are mapped" in result.stderr


def test_an_object_without_a_counterpart_is_an_error(commands: Commands, tmp_path: Path) -> None:
    """It is a comment in the output, so that nothing is overlooked."""
    (tmp_path / "web.yaml").write_text(APPLICATION.replace("path: deploy", "chart: web"))

    result = commands.run("migrate", "-f", str(tmp_path))

    assert result.exit_code == 1
    assert result.stdout.startswith(
        "---\n# From: Application argocd/web in web.yaml#1\n# not mapped: it names no Git repository"
    )
    assert "✗ Application argocd/web in web.yaml#1: not mapped" in result.stderr


def test_a_cluster_without_the_tools_has_nothing_to_migrate(commands: Commands) -> None:
    """Without a folder the cluster is read."""
    result = commands.run("migrate")

    assert result.exit_code == 1
    assert "There are no Kustomizations" in result.stderr
    assert commands.cluster.writes == []


def test_what_is_rendered_can_be_piped_in() -> None:
    """Applications may come from a chart."""
    result = CliRunner().invoke(main, ["migrate", "-f", "-"], input=APPLICATION)

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("---\n# From: Application argocd/web in -#1\n")
