"""What is said when something stays; all else is seen on a real API server: tests/cli/test_uninstall.py."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster
from tests.unit.cli.installation.test_removal import API, WEB, declare, terminating

from nopea.cli.commands.uninstall import EXIT_NOT_GONE, _uninstall


@pytest.mark.looptime
async def test_who_keeps_a_definition_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A finalizer of somebody else is theirs: only they know when it may go."""
    cluster = FakeCluster()
    terminating(cluster, reason="InstanceDeletionInProgress")
    declare(cluster, API)
    declare(cluster, WEB, finalizers=("acme.example/stay",))

    code = await _uninstall(cluster.client, keep_crds=False, force=False, dry_run=False, yes=True)

    said = capsys.readouterr().err
    assert code == EXIT_NOT_GONE
    assert "Still being deleted: CustomResourceDefinition gitrepositories.nopea.io." in said
    assert "Finalizers of others keep GitRepository shop/web (acme.example/stay)." in said
    assert "shop/api" not in said
