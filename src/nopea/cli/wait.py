"""Wait until the controller has handled a request, and until its objects are healthy: `nopea sync --wait`.

Reads the GitRepository again and again until its status reports the sync that handled the request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from nopea.cli.duration import Duration
from nopea.core.duration import format_seconds, parse_duration

if TYPE_CHECKING:
    from nopea.cli.requests import RequestProgress, UserRequest
    from nopea.core.api.entries import Condition
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient

EXIT_SYNCED = 0
EXIT_NOT_SYNCED = 1
"""It failed or timed out, an object is unhealthy, it is suspended, or the controller only plans.

2 and 3 mean the same everywhere.
"""

DEFAULT_TIMEOUT = "5m"
POLL_SECONDS = 0.3
QUIET_SECONDS = 10.0
"""After this time without any progress, possible causes are shown, and looked for again as often."""


UNHEALTHY_SECONDS = 5.0
"""So long the objects must be unhealthy until the wait ends: a container that ends once may start again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How long to wait at most, and whether for healthy objects too."""

    seconds: float
    health: bool = True


def wait_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add --wait, --no-health and --timeout to a command, which gets them as `waiting`, or None."""

    @click.option(
        "--wait",
        is_flag=True,
        help="Wait until it is synced and healthy; exit with 1 if it does not succeed.",
    )
    @click.option("--no-health", is_flag=True, help="With --wait: do not wait until its objects are healthy.")
    @click.option(
        "--timeout",
        type=Duration(),
        metavar="DURATION",
        help=f"The longest that --wait waits, such as 30s or 5m.  [default: {DEFAULT_TIMEOUT}]",
    )
    @wraps(function)
    def with_wait(*, wait: bool, no_health: bool, timeout: float | None, **rest: Any) -> None:
        if not wait and (timeout is not None or no_health):
            raise click.UsageError(f"{'--no-health' if no_health else '--timeout'} needs --wait.")
        default = parse_duration(DEFAULT_TIMEOUT).total_seconds()
        waiting = Waiting(seconds=timeout or default, health=not no_health) if wait else None
        function(waiting=waiting, **rest)

    return with_wait


async def wait_for(
    client: KubeClient, repository: Repository, request: UserRequest, *, message: str, waiting: Waiting
) -> int:
    """Show `message` and the progress until the request is handled; returns the exit code."""
    from nopea.cli.progress import show_progress

    waiter = _Waiter(client, repository, request, health=waiting.health)
    with show_progress(message) as progress:
        handled = await waiter.run(progress.show, seconds=waiting.seconds)
    return waiter.print_result(handled, seconds=waiting.seconds)


class _Waiter:
    """Polls one GitRepository until its request is handled and, with `health`, its objects are healthy."""

    def __init__(
        self, client: KubeClient, repository: Repository, request: UserRequest, *, health: bool
    ) -> None:
        self._client = client
        self._needs_health = health
        self._synced: Repository | None = None
        self._unhealthy_since: float | None = None
        self._key = repository.key
        self._uid = repository.uid
        self._request = request
        self._verdict: RequestProgress | None = None
        self._stage = ""
        self._unreachable = ""
        self._dead = ""

    async def run(self, show: Callable[[str], None], *, seconds: float) -> Repository | None:
        """Return the version that has the result; None after `seconds`."""
        import asyncio

        from nopea.cli.heartbeat import why_dead

        loop = asyncio.get_running_loop()
        started = loop.time()
        asks_at = started + QUIET_SECONDS
        try:
            async with asyncio.timeout(seconds):
                while True:
                    handled = await self._poll()
                    if handled is not None and self._is_over(handled, now=loop.time()):
                        return handled
                    if loop.time() >= asks_at and not self._stage:
                        self._dead = await why_dead(self._client, self._key.namespace)
                        asks_at = loop.time() + QUIET_SECONDS
                    if state := self._state(loop.time() - started):
                        show(state)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return None

    async def _poll(self) -> Repository | None:
        from nopea.cli.cluster import CommandError
        from nopea.cli.repository import read_repository
        from nopea.cli.requests import stage_of
        from nopea.kube.errors import ApiError

        deleted = CommandError(f"GitRepository {self._key} was deleted while `nopea` waited for it.")
        try:
            repository = await read_repository(self._client, self._key)
        except CommandError as error:
            raise deleted from error
        except ApiError as error:
            if not error.retryable:
                raise
            self._unreachable = str(error)
            return None
        self._unreachable = ""
        if repository.uid != self._uid or repository.deleting:
            raise deleted
        self._stage = stage_of(repository.status)
        if self._synced is None:
            self._verdict = self._request.verdict(repository)
            return repository if self._verdict is not None else None
        self._synced = repository
        return repository

    def _is_over(self, handled: Repository, *, now: float) -> bool:
        """Return whether there is nothing more to wait for: not while a rollout may still succeed."""
        from nopea.cli.requests import RequestProgress

        if self._verdict is not RequestProgress.SYNCED or not self._needs_health:
            return True
        self._synced = handled
        health = _missing_health(handled)
        if health is None or health.status != "False":
            self._unhealthy_since = None
            return health is None
        self._unhealthy_since = now if self._unhealthy_since is None else self._unhealthy_since
        return now - self._unhealthy_since >= UNHEALTHY_SECONDS

    def _state(self, seconds: float) -> str:
        if self._unreachable:
            return f"The API server does not answer: {self._unreachable}"
        if self._synced is not None and (health := _missing_health(self._synced)) is not None:
            return f"Synced. {health.message}"
        if self._stage or seconds < QUIET_SECONDS:
            return self._stage
        if self._dead:
            return self._dead
        return "Nothing has happened yet. Does `nopea run` run, and does it watch this namespace?"

    def print_result(self, repository: Repository | None, *, seconds: float) -> int:
        """Print the result and return the exit code; `repository` is None after the timeout."""
        from nopea.cli.output.messages import print_error
        from nopea.cli.output.sync import synced_lines
        from nopea.cli.requests import RequestProgress

        if repository is None and self._synced is None:
            print_error(*self._timeout_error(format_seconds(seconds)))
            return EXIT_NOT_SYNCED
        repository = repository or self._synced
        assert repository is not None  # noqa: S101 - one of both is known here
        match self._verdict:
            case RequestProgress.SYNCED:
                for line in synced_lines(repository):
                    click.echo(line)
                if not self._needs_health or (health := _missing_health(repository)) is None:
                    return EXIT_SYNCED
                _print_not_healthy(repository, health, after=format_seconds(seconds))
                return EXIT_NOT_SYNCED
            case RequestProgress.SUSPENDED:
                return print_suspended(repository)
            case RequestProgress.PLANNED:
                return _print_planned(repository)
            case RequestProgress.REPLACED:
                print_error(f"GitRepository {repository.key}: {self._request.replaced(repository)}")
                return EXIT_NOT_SYNCED
            case _:
                return _print_failed(repository)

    def _timeout_error(self, after: str) -> tuple[str, str]:
        repository = f"GitRepository {self._key}"
        if self._unreachable:
            return (
                f"{repository}: the API server does not answer after {after}: {self._unreachable}",
                "Try again.",
            )
        if self._stage:
            return (
                f"{repository}: the sync has not ended within {after}. {self._stage}",
                f"The sync continues. `nopea history {self._key.arguments}` shows its result.",
            )
        if self._dead:
            return (
                f"{repository}: no controller has handled the request within {after}.",
                f"{self._dead} The request stays and is handled when the controller is back.",
            )
        hint = (
            "Check that `nopea run` runs and watches this namespace: `kubectl -n nopea-system get pods`. "
            "The request stays and is handled when the controller is back."
        )
        return f"{repository}: no controller has handled the request within {after}.", hint


def _missing_health(repository: Repository) -> Condition | None:
    """Return the condition that says which objects are not healthy; None if all are."""
    from nopea.core.api.conditions import HEALTHY, find

    health = find(repository.status.conditions, HEALTHY)
    return health if health is not None and health.status != "True" else None


def _print_not_healthy(repository: Repository, health: Condition, *, after: str) -> None:
    from nopea.cli.output.messages import print_error

    # a wait ends before its timeout only with what does not become healthy without a person
    when = "" if health.status == "False" else f" after {after}"
    print_error(
        f"GitRepository {repository.key} is synced, but not healthy{when}: {health.message}",
        f"`nopea tree {repository.key.arguments}` shows its Pods; "
        "--no-health does not wait for the health of its objects.",
    )


def print_suspended(repository: Repository) -> int:
    """Print that a suspended repository is not synced; returns the exit code."""
    from nopea.cli.output.messages import print_error

    print_error(
        f"GitRepository {repository.key} is suspended: nothing is written to its objects.",
        f"`nopea resume {repository.key.arguments}` resumes it and starts a sync.",
    )
    return EXIT_NOT_SYNCED


def _print_planned(repository: Repository) -> int:
    """Print what a sync would do; succeed if that is nothing."""
    from nopea.cli.output.messages import print_error
    from nopea.core.api.conditions import READY, find

    ready = find(repository.status.conditions, READY)
    if ready is not None and ready.status == "True":
        click.echo(f"GitRepository {repository.key}: {ready.message}")
        return EXIT_SYNCED
    print_error(
        f"GitRepository {repository.key} is not synced, because the controller runs read-only: "
        f"{ready.message if ready is not None else 'it only plans.'}",
        f"`nopea diff {repository.key.arguments}` shows each object.",
    )
    return EXIT_NOT_SYNCED


def _print_failed(repository: Repository) -> int:
    from nopea.cli.output.messages import print_error, print_hint, print_problem
    from nopea.cli.output.sync import failed_line, may_have_more

    print_error(failed_line(repository))
    for error in repository.status.errors:
        print_problem(error)
    if may_have_more(repository.status):
        print_hint("The status lists only the first errors; there may be more.")
    return EXIT_NOT_SYNCED
