"""Connect a command to its cluster: the common options, one connection, and exit codes for its errors.

Each error is printed as one message with a hint; nothing prints a traceback.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from nopea.cli.output.messages import print_error, print_problem

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient

EXIT_FAILED = 3
"""The cluster, Git or a file could not be read. 1 is a result of a command; click uses 2 for wrong usage."""
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM


class CommandError(Exception):
    """A command cannot continue: `message` says what happened and where, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterChoice:
    """The values of the common options; None means the kubeconfig's default."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


class _Output(click.Choice[str]):
    """A choice of formats; `text` and `table` are two names of what a command prints for people."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        for given, meant in (("text", "table"), ("table", "text")):
            if value == given and given not in self.choices and meant in self.choices:
                return meant
        return super().convert(value, param, ctx)


def output_formats(*formats: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add --output to a command, which gets it as `output`; the first format is the default."""
    return click.option(
        "-o",
        "--output",
        type=_Output(formats),
        default=formats[0],
        help=f"Output format.  [default: {formats[0]}]",
    )


output_option = output_formats("text", "json", "yaml")


watch_option = click.option(
    "-w", "--watch", "follow", is_flag=True, help="Stay, and show each change, until Ctrl-C."
)

all_namespaces_option = click.option(
    "-A", "--all-namespaces", "everywhere", is_flag=True, help="Look in all namespaces; overrides -n."
)


def connection_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add --kubeconfig and --context to a command, which gets them as one `cluster`."""

    @click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Kubeconfig file.  [default: KUBECONFIG, in-cluster, ~/.kube/config]",
    )
    @click.option(
        "--context", metavar="NAME", help="Context of the kubeconfig.  [default: the current context]"
    )
    @wraps(function)
    def with_connection(
        *, kubeconfig: Path | None, context: str | None, namespace: str | None = None, **rest: Any
    ) -> None:
        choice = ClusterChoice(kubeconfig=kubeconfig, context=context, namespace=namespace)
        function(cluster=choice, **rest)

    return with_connection


def cluster_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of `connection_options`, and --namespace."""
    namespace = click.option(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        help="Namespace of the GitRepository.  [default: the context's namespace]",
    )
    return connection_options(namespace(function))


@asynccontextmanager
async def connect(choice: ClusterChoice) -> AsyncIterator[tuple[KubeClient, str]]:
    """Connect to the chosen cluster; yields the client and the namespace. Raises ConfigError."""
    from nopea.kube.client import KubeClient
    from nopea.kube.load import load_config

    config = load_config(choice.kubeconfig, context=choice.context or "")
    async with KubeClient(config) as client:
        yield client, choice.namespace or config.namespace


def run_with_cluster(choice: ClusterChoice, work: Callable[[KubeClient, str], Awaitable[int]]) -> NoReturn:
    """Connect, run `work` with the client and the namespace, and exit with the code that it returns."""

    async def connected() -> int:
        async with connect(choice) as (client, namespace):
            return await work(client, namespace)

    run(connected)


def run(work: Callable[[], Awaitable[int]]) -> NoReturn:
    """Run `work` and exit with the code that it returns, or with that of its error, which is printed."""
    import asyncio
    import logging

    from nopea.core.problem import SyncError
    from nopea.kube.config import ConfigError
    from nopea.kube.errors import ApiError
    from nopea.kube.problems import to_problem

    async def interruptible() -> int:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        # SIGTERM cancels the work, so that child processes and temporary folders are removed too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work()

    logging.getLogger("nopea").addHandler(logging.NullHandler())  # the log is the controller's
    code = EXIT_FAILED
    try:
        code = asyncio.run(interruptible())
    except ConfigError as error:
        print_error(str(error))
    except CommandError as error:
        print_error(error.message, error.hint)
    except SyncError as error:
        for problem in error.problems:
            print_problem(problem, hint=without_retry(problem.hint))
    except ApiError as error:
        problem = to_problem(error, object=error.request)
        print_problem(problem, hint=without_retry(problem.hint))
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        code = EXIT_INTERRUPTED
    except asyncio.CancelledError:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        sys.stderr.close()  # the reader is gone, as after `head`; Python would report that at exit
    sys.exit(code)


def without_retry(hint: str) -> str:
    """Remove the promise of a retry, which only the controller keeps."""
    from nopea.kube.problems import RETRIED

    return hint.removesuffix(RETRIED).rstrip() or "Try again in a moment."
