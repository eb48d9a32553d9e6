"""The notification options of `nopea run`. Secrets come from a file or the environment, never from a flag."""

from __future__ import annotations

import os
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from nopea.cli.duration import Duration
from nopea.core.api.notify import DEFAULT_KINDS, NotificationKind, Severity
from nopea.core.drift.mask import plain_line
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress, parse_addresses
from nopea.core.notify.receiver import alerts_address
from nopea.core.secret import Secret
from nopea.settings import NotifySettings, SettingError

SLACK_VARIABLE: Final = "NOPEA_SLACK_URL"
TEAMS_VARIABLE: Final = "NOPEA_TEAMS_URL"
DISCORD_VARIABLE: Final = "NOPEA_DISCORD_URL"
SECRET_VARIABLE: Final = "NOPEA_NOTIFY_SECRET"
"""None has a flag: command lines are visible to all users of the machine."""

DEFAULTS: Final = NotifySettings()
_MAX_BYTES: Final = 64 * 1024

F = TypeVar("F", bound=Callable[..., Any])


def notify_options(command: F) -> F:
    """Add the notification options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def notify_settings(
    *,
    notify_url: str | None,
    notify_secret_file: Path | None,
    slack_url_file: Path | None,
    teams_url_file: Path | None,
    discord_url_file: Path | None,
    alertmanager_url: str | None,
    notify_events: str | None,
    notify_severity: str,
    notify_after: float,
    notify_per_minute: int,
    cluster_name: str | None,
    commit_status: bool,
    commit_status_url: str | None,
    pull_request_plans: bool,
) -> NotifySettings:
    """Return the settings that the options give; raises SettingError."""
    return NotifySettings(
        json_urls=_addresses(notify_url or "", option="--notify-url"),
        secret=_secret(notify_secret_file, SECRET_VARIABLE, flag="--notify-secret-file"),
        slack_urls=_secret_addresses(slack_url_file, SLACK_VARIABLE, flag="--slack-url-file"),
        teams_urls=_secret_addresses(teams_url_file, TEAMS_VARIABLE, flag="--teams-url-file"),
        discord_urls=_secret_addresses(discord_url_file, DISCORD_VARIABLE, flag="--discord-url-file"),
        alertmanager_urls=_alertmanagers(alertmanager_url or ""),
        kinds=_kinds(notify_events),
        severity=Severity(notify_severity),
        after_seconds=notify_after,
        per_minute=notify_per_minute,
        cluster=plain_line(cluster_name or "", limit=100),
        commit_status=commit_status,
        target_url=commit_status_url or "",
        pull_request_plans=pull_request_plans,
    )


NAMES: Final = tuple(signature(notify_settings).parameters)
"""The options that are settings of notifications."""


def _addresses(urls: str, *, option: str) -> tuple[ReceiverAddress, ...]:
    try:
        return parse_addresses(urls)
    except InvalidAddressError as error:
        raise SettingError(f"{option}: {error}") from error


def _secret_addresses(file: Path | None, variable: str, *, flag: str) -> tuple[ReceiverAddress, ...]:
    urls = _secret(file, variable, flag=flag).reveal().decode(errors="replace")
    return _addresses(urls, option=f"{flag} or {variable}")


def _alertmanagers(urls: str) -> tuple[ReceiverAddress, ...]:
    option = "--alertmanager-url"
    try:
        return tuple(dict.fromkeys(alerts_address(url.strip()) for url in urls.split(",") if url.strip()))
    except InvalidAddressError as error:
        raise SettingError(f"{option}: {error}") from error


def _kinds(text: str | None) -> frozenset[NotificationKind]:
    if text is None:
        return DEFAULT_KINDS
    try:
        return frozenset(NotificationKind(word.strip()) for word in text.split(",") if word.strip())
    except ValueError as error:
        known = ", ".join(NotificationKind)
        raise SettingError(f"--notify-events: {error}. The kinds of notifications are {known}.") from error


def _secret(file: Path | None, variable: str, *, flag: str) -> Secret:
    """Return the contents of the file, or else of the variable, without surrounding white space."""
    if file is None:
        return Secret(os.environ.get(variable, "").strip())
    try:
        with file.open("rb") as stream:
            return Secret(stream.read(_MAX_BYTES).strip())
    except OSError as error:
        raise SettingError(f"{flag}: {file} cannot be read: {error.strerror}.") from error


_OPTIONS = (
    click.option(
        "--notify-url",
        help="URLs that get notifications as JSON; comma-separated.  [default: none]",
    ),
    click.option(
        "--notify-secret-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"File with the secret that signs notifications.  [default: the variable {SECRET_VARIABLE}]",
    ),
    click.option(
        "--slack-url-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the URL of a Slack-compatible incoming webhook for notifications.  "
        f"[default: the variable {SLACK_VARIABLE}]",
    ),
    *(
        click.option(
            f"--{name}-url-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"File with the URL of {what} for notifications.  [default: the variable {variable}]",
        )
        for name, what, variable in (
            ("teams", "a Workflows webhook of Microsoft Teams", TEAMS_VARIABLE),
            ("discord", "a Discord webhook", DISCORD_VARIABLE),
        )
    ),
    click.option(
        "--alertmanager-url",
        help="Base URLs of Alertmanagers that get what is wrong as alerts; comma-separated.  [default: none]",
    ),
    click.option(
        "--notify-events",
        metavar="KINDS",
        help="Kinds of notifications that are sent, comma-separated.  "
        "[default: all but deployment and healing]",
    ),
    click.option(
        "--notify-severity",
        default=str(DEFAULTS.severity),
        type=click.Choice([str(severity) for severity in Severity]),
        help="Least severity that is sent.",
    ),
    click.option(
        "--notify-after",
        default=DEFAULTS.after_seconds,
        type=Duration(),
        show_default=False,
        help="How long a problem that may end without a person must last to be reported.  [default: 2m]",
    ),
    click.option(
        "--notify-per-minute",
        default=DEFAULTS.per_minute,
        type=click.IntRange(1, 10_000),
        metavar="COUNT",
        help="Maximum number of messages and commit statuses per minute.",
    ),
    click.option("--cluster-name", help="Name of this cluster in notifications.  [default: none]"),
    click.option(
        "--commit-status",
        is_flag=True,
        help="Set the commit status on GitHub, GitLab and Gitea, with the repository's own token.",
    ),
    click.option("--commit-status-url", help="URL that commit statuses link to.  [default: none]"),
    click.option(
        "--pull-request-plans",
        is_flag=True,
        help="Comment plans on pull requests, for GitRepositories with spec.planPullRequests.",
    ),
)
