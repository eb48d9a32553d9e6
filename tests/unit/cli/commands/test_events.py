"""`nopea events` with a cluster in memory."""

from __future__ import annotations

import json

import pytest
from tests.unit.cli.conftest import NEWER, Commands, entry, revision
from tests.unit.cli.test_reported_events import REGARDING, raw_event

from nopea.core.objects import ObjectKey


def _tell(commands: Commands, name: str = "api", **changes: object) -> None:
    event = raw_event(f"{name}.1", regarding={**REGARDING, "name": name}, **changes)
    commands.cluster.objects[ObjectKey("events.k8s.io", "Event", "shop", f"{name}.1")] = event


def test_the_status_and_the_events_are_one_list(commands: Commands) -> None:
    """The newest comes last; one sync is one line."""
    commands.store(status={"history": [entry(NEWER, 2, changed=1)], "revisions": [revision(NEWER)]})
    _tell(commands, reason="Changed", note="Applied bbbbbbb: configured ConfigMap shop/web.", type="Normal")

    (line,) = commands.run("events", "api").stdout.splitlines()

    assert line.startswith("2026-11-24T05:00:00Z")
    assert line.endswith(
        "Changed  Applied bbbbbbb: configured ConfigMap shop/web. (“Change” by Deploy Bot; trigger: poll)"
    )


def test_a_namespace_has_what_is_gone_too(commands: Commands) -> None:
    """The Events of a GitRepository that was deleted say what it left."""
    commands.store(status={"history": [entry(NEWER, 2, changed=1)], "revisions": []})
    _tell(commands, "gone", reason="Orphaned", eventTime="2026-11-24T06:00:00.000000Z")

    told = json.loads(commands.run("events", "-o", "json").stdout)["entries"]

    assert [(each["repository"], each["reason"]) for each in told] == [
        ("shop/api", "Synced"),
        ("shop/gone", "Orphaned"),
    ]
    assert "shop/gone" in commands.run("events", "-A").stdout
    assert "gone" not in commands.run("events", "shop/api").stdout


def test_only_the_newest_are_shown(commands: Commands) -> None:
    """With --limit and --since; a hint says how many are left out."""
    history = [entry(NEWER, 2, changed=2), entry(NEWER, 1, changed=1, started="2026-11-24T04:00:00Z")]
    commands.store(status={"history": history, "revisions": []})

    limited = commands.run("events", "api", "--limit", "1")

    assert "2 changed" in limited.stdout
    assert "1 changed" not in limited.stdout
    assert limited.stderr == "→ 1 older entry is not shown; see --limit.\n"
    assert commands.run("events", "api", "--since", "1s").stderr == "→ Nothing is recorded.\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nothing"], 3), (["api", "-A"], 2), (["--limit", "0"], 2)],
)
def test_errors(commands: Commands, arguments: list[str], code: int) -> None:
    """Wrong usage and a name that does not exist have their exit codes."""
    assert commands.run("events", *arguments).exit_code == code
