"""`nopea run`: flags and `NOPEA_*` become settings; then the controller runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import click

from nopea import logs
from nopea.cli.notifyoptions import notify_options, notify_settings
from nopea.core.notify.address import InvalidAddressError, parse_addresses
from nopea.core.secret import Secret
from nopea.settings import SettingError, Settings

DEFAULTS = Settings()
SECRET_VARIABLE = "NOPEA_WEBHOOK_SECRET"
"""No flag sets it: everybody on the machine could read that in the list of processes."""

_MOST_DIGITS = 15  # a petabyte; Python refuses to read thousands of them with an error of its own


class MemorySize(click.ParamType[int]):
    """Bytes as Kubernetes writes them: `512Mi`, `1Gi`, or a plain number."""

    name = "size"
    _UNITS: ClassVar = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes, or fail with the form that is expected."""
        if isinstance(value, int):
            return value
        number, unit = (value[:-2], value[-2:]) if value[-2:] in self._UNITS else (value, "")
        if not number.isascii() or not number.isdigit() or len(number) > _MOST_DIGITS:
            self.fail(f"{value!r} is no size; write it like 512Mi", param, ctx)
        return int(number) * self._UNITS.get(unit, 1)


class CacheError(Exception):
    """The cache folder cannot be used."""


def _writable(cache_dir: Path) -> None:
    """Make the cache folder; raises CacheError with what to do where that is not possible."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"the cache folder {cache_dir} cannot be made: {error.strerror}; set --cache-dir"
        ) from error
    if not os.access(cache_dir, os.W_OK | os.X_OK):
        raise CacheError(f"the cache folder {cache_dir} cannot be written to; set --cache-dir")


def _default_cache() -> Path:
    """A container's volume if it is there, else the user's cache folder."""
    if DEFAULTS.cache_dir.is_dir():
        return DEFAULTS.cache_dir
    return Path.home() / ".cache" / "nopea" / "controller"


@click.command("run", context_settings={"auto_envvar_prefix": "NOPEA", "show_default": True})
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Kubeconfig file.  [default: KUBECONFIG, in-cluster]",
)
@click.option("--context", help="Context of the kubeconfig.  [default: the current one]")
@click.option("--namespace", help="Watch this namespace only.  [default: the whole cluster]")
@click.option("--host", default=DEFAULTS.host, help="Address of the HTTP server.")
@click.option("--port", default=DEFAULTS.port, type=click.IntRange(0, 65535), help="Port of the HTTP server.")
@click.option(
    "--log-level",
    default=DEFAULTS.log_level,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least that is logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "console"]),
    help="One object a line, or text.  [default: console on a terminal, else json]",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the Git mirrors, of one process alone.  "
    f"[default: {DEFAULTS.cache_dir} if it is there, else ~/.cache/nopea/controller]",
)
@click.option(
    "--git-children",
    default=DEFAULTS.git_children,
    type=click.IntRange(1, 16),
    help="Processes that talk to Git.",
)
@click.option(
    "--git-memory",
    default=DEFAULTS.git_memory_bytes,
    type=MemorySize(),
    show_default=False,
    help=f"Memory limit of each of them.  [default: {DEFAULTS.git_memory_bytes // 1024**2}Mi]",
)
@click.option(
    "--allow-file-urls", is_flag=True, help="Let GitRepositories read file:// URLs of this machine."
)
@click.option(
    "--cdevents-sink",
    default="",
    show_default=False,
    help="URLs that get CDEvents, separated by commas; with user:password@ for Basic.  [default: none]",
)
@click.option(
    "--cdevents-mode",
    default=DEFAULTS.cdevents_mode,
    type=click.Choice(["binary", "structured"]),
    help="Where CloudEvents attributes are: in headers, or in the body.",
)
@click.option(
    "--cdevents-version",
    default=DEFAULTS.cdevents_version,
    type=click.Choice(["0.5.1", "0.4.1"]),
    help="The CDEvents specification; 0.4.1 is what Flux's receiver reads.",
)
@click.option(
    "--cdevents-source",
    help="URI that no other controller signs its events with.  [default: the API server's URL]",
)
@click.option(
    "--cdevents-drift",
    default=DEFAULTS.cdevents_drift,
    type=click.Choice(["incident", "custom"]),
    help="Tell drift as incidents, or as custom events.",
)
@click.option(
    "--environment",
    help="Id of the environment in events.  [default: each repository's target namespace]",
)
@click.option(
    "--webhook-secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the secret of webhooks to repositories without one of their own; read again when it "
    "changes.  [default: the variable NOPEA_WEBHOOK_SECRET]",
)
@click.option(
    "--webhook-body-limit",
    default=DEFAULTS.webhook_body_limit,
    type=MemorySize(),
    show_default=False,
    help=f"The largest webhook that is read.  [default: {DEFAULTS.webhook_body_limit // 1024**2}Mi]",
)
@notify_options
@click.option(
    "--shutdown-seconds",
    default=DEFAULTS.shutdown_seconds,
    type=click.FloatRange(1, 3600),
    help="How long SIGTERM lets passes end; below terminationGracePeriodSeconds.",
)
def command(**options: Any) -> None:
    """Run the controller until SIGTERM or SIGINT; a second one ends it at once.

    Every option is an environment variable too: --log-level is NOPEA_LOG_LEVEL.

    Exit codes: 0 drained after a signal, 1 a core service ended, 2 wrong usage, 3 wrong configuration
    (kubeconfig, cache folder, events, or the address is taken), 128 + N ended at once by a second signal N.
    """
    import asyncio

    from nopea import app
    from nopea.kube.config import ConfigError
    from nopea.web.server import ListenError

    try:
        settings = settings_of(**options)
        logs.configure(level=settings.log_level, format_=settings.log_format)
        _writable(settings.cache_dir)
        code = asyncio.run(app.run(settings))
    except (ConfigError, ListenError, CacheError, SettingError) as error:
        click.echo(f"nopea: {error}", err=True)
        code = app.EXIT_CONFIGURATION
    sys.exit(code)


def settings_of(
    *,
    git_memory: int,
    cache_dir: Path | None,
    log_format: logs.Format | None,
    cdevents_sink: str = "",
    **rest: Any,
) -> Settings:
    """Return the settings that the command's options mean; what was not given depends on the machine.

    Raises SettingError.
    """
    try:
        sinks = parse_addresses(cdevents_sink)
    except InvalidAddressError as error:
        raise SettingError(f"--cdevents-sink: {error}") from error
    return Settings(
        cdevents_sink=sinks,
        git_memory_bytes=git_memory,
        cache_dir=cache_dir or _default_cache(),
        notify=notify_settings(rest),
        webhook_secret=Secret(os.environ.get(SECRET_VARIABLE, "").strip()),
        log_format=log_format or ("console" if sys.stderr.isatty() else "json"),
        **rest,  # click has checked them against the options above
    )
