"""How a command connects to the cluster, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

from nopea.cli.cluster import ClusterChoice, CommandError, run_with_cluster
from nopea.core.problem import Code, Problem, StalledError
from nopea.kube.client import KubeClient
from nopea.kube.errors import UnreachableError
from nopea.kube.problems import RETRIED

Work = Callable[[KubeClient, str], Awaitable[int]]


def raising(error: BaseException) -> Work:
    """Return work that fails."""

    async def work(client: KubeClient, namespace: str) -> int:
        del client, namespace
        raise error

    return work


def exit_code(work: Work, choice: ClusterChoice | None = None) -> object:
    """Run the work and return the exit code."""
    with pytest.raises(SystemExit) as caught:
        run_with_cluster(choice or ClusterChoice(), work)
    return caught.value.code


@pytest.mark.usefixtures("commands")
def test_the_work_gives_the_exit_code() -> None:
    """The work gets the selected namespace, and its result is the exit code."""

    async def work(client: KubeClient, namespace: str) -> int:
        del client
        return 1 if namespace == "team" else 0

    assert exit_code(work, ClusterChoice(namespace="team")) == 1


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (CommandError("It failed.", "Try again."), 3, "✗ It failed.\n→ Try again.\n"),
        (
            StalledError(Problem(code=Code.INVALID, message="It is wrong.", hint="Fix it.")),
            3,
            "✗ NOPEA-K003: It is wrong.\n→ Fix it.\n",
        ),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (asyncio.CancelledError(), 143, ""),
    ],
)
def test_an_error_is_printed_and_has_an_exit_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each error ends the command with its exit code and message, without a traceback."""
    assert exit_code(raising(error)) == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.usefixtures("commands")
def test_an_error_of_the_api_server_promises_no_retry(capsys: pytest.CaptureFixture[str]) -> None:
    """A command does not retry automatically, so the message does not say so."""
    assert exit_code(raising(UnreachableError("no route", request="get pods"))) == 3

    output = capsys.readouterr().err
    assert output.startswith("✗ NOPEA-K008 get pods: ")
    assert "→ " in output
    assert RETRIED not in output


def test_a_missing_kubeconfig_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A missing kubeconfig ends the command with exit code 3."""
    choice = ClusterChoice(kubeconfig=tmp_path / "config")

    assert exit_code(raising(AssertionError()), choice) == 3
    assert str(tmp_path / "config") in capsys.readouterr().err


def test_an_unreachable_api_server_exits_with_3(commands: Commands) -> None:
    """Every command prints NOPEA-K008 and exits with 3."""
    commands.cluster.stop()

    for name in ("diff", "heal", "history", "rollback", "suspend", "sync"):
        result = commands.run(name, "api")
        assert (result.exit_code, result.stdout) == (3, "")
        assert "NOPEA-K008" in result.stderr
