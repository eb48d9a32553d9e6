"""Wait until the controller has handled a request: `nopea sync --wait` and `nopea rollback --wait`.

Reads the GitRepository again and again until its status reports the sync that handled the request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from nopea.cli.duration import Duration
from nopea.core.duration import format_seconds, parse_duration

if TYPE_CHECKING:
    from nopea.cli.requests import RequestProgress, UserRequest
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient

EXIT_SYNCED = 0
EXIT_NOT_SYNCED = 1
"""The sync failed or timed out, or the GitRepository is suspended. 2 and 3 mean the same in every command."""

DEFAULT_TIMEOUT = "5m"
POLL_SECONDS = 0.3
QUIET_SECONDS = 10.0
"""After this time without any progress, possible causes are shown, and looked for again as often."""


def wait_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add --wait and --timeout to a command, which gets them as `wait_seconds`: None means not to wait."""

    @click.option("--wait", is_flag=True, help="Wait for the sync to end; exit with 1 if it fails.")
    @click.option(
        "--timeout",
        type=Duration(),
        metavar="DURATION",
        help=f"The longest that --wait waits, such as 30s or 5m.  [default: {DEFAULT_TIMEOUT}]",
    )
    @wraps(function)
    def with_wait(*, wait: bool, timeout: float | None, **rest: Any) -> None:
        if timeout is not None and not wait:
            raise click.UsageError("--timeout needs --wait.")
        default = parse_duration(DEFAULT_TIMEOUT).total_seconds()
        function(wait_seconds=(timeout or default) if wait else None, **rest)

    return with_wait


async def wait_for(
    client: KubeClient, repository: Repository, request: UserRequest, *, message: str, seconds: float
) -> int:
    """Show `message` and the controller's progress until the request is handled; returns the exit code."""
    from nopea.cli.progress import show_progress

    waiter = _Waiter(client, repository, request)
    with show_progress(message) as progress:
        handled = await waiter.run(progress.show, seconds=seconds)
    return waiter.print_result(handled, seconds=seconds)


class _Waiter:
    """Polls one GitRepository until its request is handled."""

    def __init__(self, client: KubeClient, repository: Repository, request: UserRequest) -> None:
        self._client = client
        self._key = repository.key
        self._uid = repository.uid
        self._request = request
        self._verdict: RequestProgress | None = None
        self._stage = ""
        self._unreachable = ""
        self._dead = ""

    async def run(self, show: Callable[[str], None], *, seconds: float) -> Repository | None:
        """Return the version whose status handles the request; None after `seconds`."""
        import asyncio

        from nopea.cli.heartbeat import why_dead

        loop = asyncio.get_running_loop()
        started = loop.time()
        asks_at = started + QUIET_SECONDS
        try:
            async with asyncio.timeout(seconds):
                while True:
                    handled = await self._poll()
                    if handled is not None:
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
        self._verdict = self._request.verdict(repository)
        return repository if self._verdict is not None else None

    def _state(self, seconds: float) -> str:
        if self._unreachable:
            return f"The API server does not answer: {self._unreachable}"
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

        if repository is None:
            print_error(*self._timeout_error(format_seconds(seconds)))
            return EXIT_NOT_SYNCED
        match self._verdict:
            case RequestProgress.SYNCED:
                for line in synced_lines(repository):
                    click.echo(line)
                return EXIT_SYNCED
            case RequestProgress.SUSPENDED:
                return print_suspended(repository)
            case RequestProgress.REPLACED:
                now = f"It follows {repository.follows or 'the ref in its spec'}."
                if repository.rollback_to:
                    now = f"It is pinned to {repository.rollback_to}."
                print_error(f"Another user has changed the rollback of GitRepository {repository.key}. {now}")
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


def print_suspended(repository: Repository) -> int:
    """Print that a suspended repository is not synced; returns the exit code."""
    from nopea.cli.output.messages import print_error

    print_error(
        f"GitRepository {repository.key} is suspended: nothing is written to its objects.",
        f"`nopea resume {repository.key.arguments}` resumes it and starts a sync.",
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
