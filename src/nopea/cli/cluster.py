"""Which cluster a command asks, and how it ends: the common options, one connection, errors in words.

Every error is one message of what happened, where, and what to do; nothing prints a traceback.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient

EXIT_FAILED = 3
"""Something could not be asked or read; 1 is an answer of `diff` and `plan`, 2 is click's: wrong usage."""
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM


class CommandError(Exception):
    """What a command cannot do: `message` says what and where, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChoice:
    """What the common options say; None is the kubeconfig's own choice."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


def cluster_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --kubeconfig, --context and --namespace, and pass them as one `cluster`."""

    @click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        help="Kubeconfig file.  [default: KUBECONFIG, in-cluster, ~/.kube/config]",
    )
    @click.option("--context", help="Context of the kubeconfig.  [default: the current one]")
    @click.option("-n", "--namespace", help="Namespace.  [default: the context's]")
    @wraps(function)
    def with_cluster(
        *, kubeconfig: Path | None, context: str | None, namespace: str | None, **rest: Any
    ) -> None:
        choice = ClusterChoice(kubeconfig=kubeconfig, context=context, namespace=namespace)
        function(cluster=choice, **rest)

    return with_cluster


def answer(choice: ClusterChoice, work: Callable[[KubeClient, str], Awaitable[int]]) -> NoReturn:
    """Connect, do the work with the client and the namespace, and exit with the code that it returns."""
    import asyncio

    from nopea.core.problem import SyncError
    from nopea.kube.client import KubeClient
    from nopea.kube.config import ConfigError
    from nopea.kube.errors import ApiError
    from nopea.kube.load import load_config
    from nopea.kube.problems import to_problem

    async def connected() -> int:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        # an end in order: children and temporary folders go too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        config = load_config(choice.kubeconfig, context=choice.context or "")
        async with KubeClient(config) as client:
            return await work(client, choice.namespace or config.namespace)

    try:
        code = asyncio.run(connected())
    except ConfigError as error:
        code = fail(str(error))
    except CommandError as error:
        code = fail(error.message, error.hint)
    except SyncError as error:
        for problem in error.problems:
            fail(*_words_of(problem))
        code = EXIT_FAILED
    except ApiError as error:
        code = fail(*_words_of(to_problem(error, object=error.request)))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except asyncio.CancelledError:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away, as `head` does; Python would complain at its end
        code = EXIT_FAILED
    sys.exit(code)


def fail(message: str, hint: str = "") -> int:
    """Say on standard error what is wrong and what to do; returns the exit code for it."""
    click.secho(f"✗ {message}", fg="red", err=True)
    if hint:
        click.echo(f"→ {hint}", err=True)
    return EXIT_FAILED


def _words_of(problem: Any) -> tuple[str, str]:
    where = " ".join(part for part in (problem.source, problem.object) if part)
    return f"{problem.code}{f' {where}' if where else ''}: {problem.message}", _without_retry(problem.hint)


def _without_retry(hint: str) -> str:
    """Remove the promise of a retry, which only the controller keeps."""
    from nopea.kube.problems import RETRIED

    return hint.removesuffix(RETRIED).rstrip() or "Try again in a moment."
