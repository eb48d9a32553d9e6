"""Follow the pass that a person asked for to its end: what `nopea sync` and `nopea rollback` do with --wait.

Looks at the GitRepository every so often, until the pass that handled the request has reported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from nopea.core.duration import format_seconds, parse_duration

if TYPE_CHECKING:
    from nopea.cli.requested import RequestProgress, UserRequest
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient

EXIT_SYNCED = 0
EXIT_NOT_SYNCED = 1
"""The pass failed, the time is over, or nothing may be written; 2 and 3 are those of every command."""

DEFAULT_TIMEOUT = "5m"
LOOK_SECONDS = 0.3
QUIET_SECONDS = 10.0
"""How long nothing may happen before the person is told what that may mean."""


def wait_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command --wait and --timeout, and pass them as `wait_seconds`: None is not to wait."""

    @click.option("--wait", is_flag=True, help="Follow the pass to its end, and exit with 1 if it fails.")
    @click.option(
        "--timeout",
        callback=_seconds,
        help=f"How long --wait waits at most, like 30s or 5m.  [default: {DEFAULT_TIMEOUT}]",
    )
    @wraps(function)
    def with_wait(*, wait: bool, timeout: float | None, **rest: Any) -> None:
        if timeout is not None and not wait:
            raise click.UsageError("--timeout needs --wait")
        default = parse_duration(DEFAULT_TIMEOUT).total_seconds()
        function(wait_seconds=(timeout or default) if wait else None, **rest)

    return with_wait


def _seconds(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    if seconds <= 0:
        raise click.BadParameter("give more than no time", ctx, param)
    return seconds


def request_value() -> str:
    """Return a value for the annotation: RFC 3339 with microseconds, so that two requests differ."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def follow(
    client: KubeClient, repository: Repository, request: UserRequest, *, said: str, seconds: float
) -> int:
    """Show how the controller does what it was just asked for, and return the exit code."""
    from nopea.cli.live import showing

    following = _Following(client, repository, request)
    with showing(said) as live:
        found = await following.run(live.show, seconds=seconds)
    return following.tell(found, seconds=seconds)


class _Following:
    """The looks at one GitRepository until its request is handled."""

    def __init__(self, client: KubeClient, repository: Repository, request: UserRequest) -> None:
        self._client = client
        self._key = repository.key
        self._uid = repository.uid
        self._request = request
        self._verdict: RequestProgress | None = None
        self._stage = ""
        self._unreachable = ""

    async def run(self, show: Callable[[str], None], *, seconds: float) -> Repository | None:
        """Return the version that answers the request; None when the time is over."""
        import asyncio

        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self._look()
                    if found is not None:
                        return found
                    if text := self._waiting(loop.time() - began):
                        show(text)
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return None

    async def _look(self) -> Repository | None:
        from nopea.cli.cluster import CommandError
        from nopea.cli.repository import read_repository
        from nopea.cli.requested import stage_of
        from nopea.kube.errors import ApiError

        gone = CommandError(f"GitRepository {self._key} was deleted meanwhile")
        try:
            found = await read_repository(self._client, self._key)
        except CommandError as error:
            raise gone from error
        except ApiError as error:
            if not error.retryable:
                raise
            self._unreachable = str(error)
            return None
        self._unreachable = ""
        if found.uid != self._uid or found.deleting:
            raise gone
        self._stage = stage_of(found.status)
        self._verdict = self._request.verdict(found)
        return found if self._verdict is not None else None

    def _waiting(self, seconds: float) -> str:
        if self._unreachable:
            return f"the API server does not answer: {self._unreachable}"
        if self._stage or seconds < QUIET_SECONDS:
            return self._stage
        return "nothing has happened yet: is `nopea run` up, and does it watch this namespace?"

    def tell(self, found: Repository | None, *, seconds: float) -> int:
        """Print how it ended and return the exit code."""
        from nopea.cli.cluster import fail
        from nopea.cli.requested import RequestProgress
        from nopea.cli.synctext import synced_lines

        if found is None:
            fail(*self._too_late(format_seconds(seconds)))
            return EXIT_NOT_SYNCED
        match self._verdict:
            case RequestProgress.SYNCED:
                for line in synced_lines(found):
                    click.echo(line)
                return EXIT_SYNCED
            case RequestProgress.SUSPENDED:
                return say_suspended(found)
            case RequestProgress.REPLACED:
                now = found.pin.message if found.pin else f"it follows {found.follows or 'its spec'}"
                fail(f"GitRepository {found.key}: somebody else changed its rollback meanwhile: {now}")
                return EXIT_NOT_SYNCED
            case _:
                return _tell_failed(found)

    def _too_late(self, after: str) -> tuple[str, str]:
        what = f"GitRepository {self._key}"
        if self._unreachable:
            return f"{what}: after {after} the API server does not answer: {self._unreachable}", "try again"
        if self._stage:
            return (
                f"{what}: the pass has not ended within {after}: {self._stage}",
                f"it goes on by itself: `nopea history {self._key.arguments}` shows how it ended",
            )
        hint = (
            "see that `nopea run` is up and watches this namespace: `kubectl -n nopea-system get pods`; "
            "the request stays, and is obeyed when it is back"
        )
        return f"{what}: no controller has taken the request within {after}", hint


def say_suspended(repository: Repository) -> int:
    """Say that nothing is written to a suspended repository; returns the exit code."""
    from nopea.cli.cluster import fail

    fail(
        f"GitRepository {repository.key} is suspended: nothing is written to its objects",
        f"`nopea resume {repository.key.arguments}` ends that and starts a pass at once",
    )
    return EXIT_NOT_SYNCED


def _tell_failed(found: Repository) -> int:
    from nopea.cli.cluster import fail
    from nopea.cli.synctext import error_words, failed_line, may_have_more

    fail(failed_line(found))
    for error in found.status.errors:
        fail(*error_words(error))
    if may_have_more(found.status):
        click.echo("→ these are the first; there may be more", err=True)
    return EXIT_NOT_SYNCED
