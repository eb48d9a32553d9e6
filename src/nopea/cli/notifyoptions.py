"""The options of `nopea run` about notifications; secrets come from a file or the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from nopea.core.drift.mask import plain_line
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress, parse_addresses
from nopea.core.secret import Secret
from nopea.settings import NotifySettings, SettingError

SLACK_VARIABLE: Final = "NOPEA_SLACK_URL"
SECRET_VARIABLE: Final = "NOPEA_NOTIFY_SECRET"
"""No flag sets either: everybody on the machine could read it in the list of processes."""

DEFAULTS: Final = NotifySettings()
_MOST_BYTES: Final = 64 * 1024

F = TypeVar("F", bound=Callable[..., Any])


def notify_options(command: F) -> F:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def notify_settings(options: dict[str, Any]) -> NotifySettings:
    """Take the options out of `options` and return what they mean; raises SettingError."""
    file_of_secret, file_of_slack = options.pop("notify_secret_file"), options.pop("slack_url_file")
    slack = _secret(file_of_slack, SLACK_VARIABLE, flag="--slack-url-file")
    return NotifySettings(
        json_urls=_endpoints(options.pop("notify_url") or "", where="--notify-url"),
        secret=_secret(file_of_secret, SECRET_VARIABLE, flag="--notify-secret-file"),
        slack_urls=_endpoints(
            slack.reveal().decode(errors="replace"), where=f"--slack-url-file or {SLACK_VARIABLE}"
        ),
        per_minute=options.pop("notify_per_minute"),
        cluster=plain_line(options.pop("cluster_name") or "", limit=100),
        commit_status=options.pop("commit_status"),
        target_url=options.pop("commit_status_url") or "",
    )


def _endpoints(text: str, *, where: str) -> tuple[ReceiverAddress, ...]:
    try:
        return parse_addresses(text)
    except InvalidAddressError as error:
        raise SettingError(f"{where}: {error}") from error


def _secret(file: Path | None, variable: str, *, flag: str) -> Secret:
    """Return what the file holds, else the variable; without the newline that editors put at the end."""
    if file is None:
        return Secret(os.environ.get(variable, "").strip())
    try:
        with file.open("rb") as opened:
            return Secret(opened.read(_MOST_BYTES).strip())
    except OSError as error:
        raise SettingError(f"{flag}: {file} cannot be read: {error.strerror}") from error


_OPTIONS = (
    click.option(
        "--notify-url",
        help="URLs that get drift under notify, failures and recoveries as JSON, separated by commas.  "
        "[default: none]",
    ),
    click.option(
        "--notify-secret-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"File with the secret that signs them.  [default: the variable {SECRET_VARIABLE}]",
    ),
    click.option(
        "--slack-url-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File with the URL of a Slack-compatible incoming webhook that gets the same.  "
        f"[default: the variable {SLACK_VARIABLE}]",
    ),
    click.option(
        "--notify-per-minute",
        default=DEFAULTS.per_minute,
        type=click.IntRange(1, 10_000),
        metavar="COUNT",
        help="The most messages and commit statuses a minute.",
    ),
    click.option("--cluster-name", help="What to call this cluster in them.  [default: not at all]"),
    click.option(
        "--commit-status",
        is_flag=True,
        help="Tell GitHub, GitLab and Gitea what became of a commit, with the repository's own token.",
    ),
    click.option("--commit-status-url", help="Where a commit's status leads a reader.  [default: nowhere]"),
)
