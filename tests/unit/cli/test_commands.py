"""Which arguments the commands accept and reject before they contact the cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from nopea.cli.commands import diff, heal, history, plan, rollback, suspend, sync
from nopea.cli.main import main

NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
COMMANDS = {
    "diff": diff.command,
    "plan": plan.command,
    "heal": heal.command,
    "sync": sync.command,
    "history": history.command,
    "rollback": rollback.command,
    "suspend": suspend.command,
    "resume": suspend.resume,
}


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2h", datetime(2026, 1, 2, 5, 4, 6, tzinfo=UTC)),
        ("30s", datetime(2026, 1, 2, 3, 4, 36, tzinfo=UTC)),
        ("2026-01-31T18:00:00Z", datetime(2026, 1, 31, 18, tzinfo=UTC)),
        ("2026-01-31T18:00:00+02:00", datetime(2026, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_until_is_a_time_or_a_duration(text: str, until: datetime) -> None:
    """A duration ends at a whole second, never earlier than requested."""
    assert suspend.parse_until(text, now=NOW) == until


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow", "neither a time nor a duration"),
        ("", "neither a time nor a duration"),
        ("2026-01-31T18:00:00", "no time zone"),
        ("2025-12-31T18:00:00Z", "in the past"),
        ("0s", "in the past"),
        ("9" * 20 + "h", "neither a time nor a duration"),
        ("99999999h", "neither a time nor a duration"),
    ],
)
def test_any_other_until_is_refused(text: str, message: str) -> None:
    """A time without a zone, a time in the past and any other text are rejected with a message."""
    with pytest.raises(ValueError, match=message):
        suspend.parse_until(text, now=NOW)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_of_the_cluster(name: str) -> None:
    """Every command has --kubeconfig, --context and --namespace, as kubectl does."""
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}

    assert {"--kubeconfig", "--context", "-n", "--namespace"} <= options


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["diff", "shop", "-A"], "takes no NAME"),
        (["heal"], "Missing argument 'NAME'"),
        (["plan"], "Missing option '-f'"),
        (["plan", "-f", "/nonexistent"], "does not exist"),
        (["plan", "shop", "--for", "shop"], "NAME and --for are the same"),
        (["plan", "-f", ".", "--ref", "main"], "--ref needs NAME"),
        (["plan", "shop", "--path", "a"], "omit --path"),
        (["diff", "shop", "-o", "wide"], "'wide' is not one of"),
        (["suspend", "shop", "--until", "2h"], "--until needs an OBJECT"),
        (["suspend", "shop", "deployment/web", "--until", "never"], "neither a time nor a duration"),
        (["resume", "shop", "--until", "2h"], "No such option"),
        (["sync"], "Missing argument 'NAME'"),
        (["history"], "Missing argument 'NAME'"),
        (["rollback"], "Missing argument 'NAME'"),
        (["sync", "shop", "--timeout", "5m"], "--timeout needs --wait"),
        (["rollback", "shop", "--timeout", "5m"], "--timeout needs --wait"),
        (["sync", "shop", "--no-health"], "--no-health needs --wait"),
        (["heal", "shop", "--timeout", "5m"], "--timeout needs --wait"),
        (["get", "a", "b", "--watch"], "--watch takes one NAME"),
        (["why", "shop", "-A"], "takes no NAME"),
        (["sync", "shop", "--wait", "--timeout", "soon"], "is not a duration"),
        (["sync", "shop", "--wait", "--timeout", "0s"], "longer than 0s"),
        (["rollback", "shop", "abc1234", "--resume"], "--resume takes no COMMIT"),
        (["history", "shop", "-o", "name"], "'name' is not one of"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str) -> None:
    """Wrong usage has an exit code of its own: 1 means that `diff` found a difference."""
    done = CliRunner().invoke(main, arguments)

    assert (done.exit_code, message in done.output) == (2, True), done.output


def test_an_object_may_be_one_word_or_two() -> None:
    """An object is accepted as it is printed, with or without quotes."""
    for given in (["apps/Deployment shop/web"], ["apps/Deployment", "shop/web"]):
        parameters = heal.command.make_context("heal", ["shop", *given]).params
        assert " ".join(parameters["object_"]) == "apps/Deployment shop/web"


def test_until_is_parsed_with_the_command() -> None:
    """The option --until becomes a time with a zone."""
    parameters = suspend.command.make_context("suspend", ["shop", "cm/web", "--until", "1h"]).params

    assert parameters["until"] - datetime.now(UTC) < timedelta(hours=1, seconds=1)


def test_an_invalid_kubeconfig_exits_with_3(tmp_path: Path) -> None:
    """The message contains the path, and there is no traceback."""
    file = tmp_path / "config"
    file.write_text("{")
    for arguments in (["diff", "shop"], ["plan", "-f", str(tmp_path)], ["suspend", "shop"]):
        done = CliRunner().invoke(main, [*arguments, "--kubeconfig", str(file)])

        assert (done.exit_code, str(file) in done.output) == (3, True), done.output
        assert isinstance(done.exception, SystemExit)
