"""`nopea run`: turn flags and `NOPEA_*` variables into settings, and run the controller."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from nopea import logs
from nopea.cli.memory_size import MemorySize
from nopea.cli.notify_options import NAMES as NOTIFY_NAMES
from nopea.cli.notify_options import notify_options, notify_settings
from nopea.cli.options import SectionedCommand
from nopea.cli.tenancy_options import NAMES as TENANCY_NAMES
from nopea.cli.tenancy_options import hosts_of, tenancy_options, tenancy_policy
from nopea.core.decryption import vault
from nopea.core.notify.address import InvalidAddressError, parse_addresses
from nopea.core.secret import Secret
from nopea.settings import SettingError, Settings

DEFAULTS = Settings()
SECRET_VARIABLE = "NOPEA_WEBHOOK_SECRET"
"""It has no flag: command lines are visible to all users of the machine."""

SECTIONS = {
    "kubeconfig": "Cluster",
    "host": "Ports, dashboard, users",
    "log_level": "Log",
    "cache_dir": "Git",
    "apply_as_controller": "Rights and limits of GitRepositories",
    "cdevents_sink": "CDEvents",
    "webhook_secret_file": "Webhooks",
    "notify_url": "Notifications and commit statuses",
    "shutdown_seconds": "Process",
}
"""The sections of the help, by their first option."""


class CacheError(Exception):
    """The cache folder cannot be used."""


def _writable(cache_dir: Path) -> None:
    """Create the cache folder; raises CacheError if it cannot be used."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"The cache folder {cache_dir} cannot be created: {error.strerror}. Set --cache-dir."
        ) from error
    if not os.access(cache_dir, os.W_OK | os.X_OK):
        raise CacheError(f"The cache folder {cache_dir} is not writable. Set --cache-dir.")


def _default_cache() -> Path:
    """Return the folder of the container's volume if it exists, else one in the user's cache folder."""
    if DEFAULTS.cache_dir.is_dir():
        return DEFAULTS.cache_dir
    return Path.home() / ".cache" / "nopea" / "controller"


@click.command(
    "run",
    cls=SectionedCommand,
    sections=SECTIONS,
    context_settings={"auto_envvar_prefix": "NOPEA", "show_default": True},
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Kubeconfig file.  [default: KUBECONFIG, in-cluster, ~/.kube/config]",
)
@click.option("--context", help="Context of the kubeconfig.  [default: the current context]")
@click.option("--namespace", help="Watch only this namespace.  [default: the whole cluster]")
@click.option("--host", default=DEFAULTS.host, help="Address of all ports.")
@click.option("--port", default=DEFAULTS.port, type=click.IntRange(0, 65535), help="Port of webhooks.")
@click.option(
    "--probe-port",
    default=DEFAULTS.probe_port,
    type=click.IntRange(0, 65535),
    help="Port of probes and metrics.",
)
@click.option("--dashboard/--no-dashboard", default=DEFAULTS.dashboard, help="Serve the read-only dashboard.")
@click.option(
    "--dashboard-port",
    default=DEFAULTS.dashboard_port,
    type=click.IntRange(0, 65535),
    help="Port of the dashboard.",
)
@click.option(
    "--dashboard-hosts",
    default="",
    show_default=False,
    metavar="HOSTS",
    help="Host names under which visitors reach the dashboard, comma-separated.  [default: localhost]",
)
@click.option(
    "--record-users",
    is_flag=True,
    help="Report which user changed an object, as the API server tells it: see docs/drift.md.",
)
@click.option(
    "--users-port",
    default=DEFAULTS.users_port,
    type=click.IntRange(0, 65535),
    help="Port of the API server's reports, with --record-users.",
)
@click.option(
    "--log-level",
    default=DEFAULTS.log_level,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Lowest level that is logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(["json", "console"]),
    help="json: one object per line; console: text.  [default: console on a terminal, else json]",
)
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the Git mirrors, used by one process only.  "
    f"[default: {DEFAULTS.cache_dir} if it exists, else ~/.cache/nopea/controller]",
)
@click.option(
    "--git-children",
    default=DEFAULTS.git_children,
    type=click.IntRange(1, 16),
    help="Number of Git processes.",
)
@click.option(
    "--git-memory",
    default=DEFAULTS.git_memory_bytes,
    type=MemorySize(),
    show_default=False,
    help=f"Memory limit of each Git process.  [default: {DEFAULTS.git_memory_bytes // 1024**2}Mi]",
)
@click.option(
    "--git-disk",
    default=DEFAULTS.git_disk_bytes,
    type=MemorySize(),
    show_default=False,
    help="Disk limit of all Git mirrors together; one may have a quarter of it.  "
    f"[default: {DEFAULTS.git_disk_bytes // 1024**3}Gi]",
)
@tenancy_options
@click.option(
    "--sops-vault-token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with Nopea's token for the Vault in --sops-keys; with --sops-vault-role, with the token of a "
    "service account.  [default: none; with a role, the Pod's]",
)
@click.option(
    "--sops-vault-role",
    metavar="[MOUNT/]ROLE",
    help="Role of Vault's Kubernetes authentication that Nopea logs in as.  [default: none]",
)
@click.option(
    "--cdevents-sink",
    default="",
    show_default=False,
    help="URLs that get CDEvents, comma-separated; user:password@ for Basic authentication.  [default: none]",
)
@click.option(
    "--cdevents-mode",
    default=DEFAULTS.cdevents_mode,
    type=click.Choice(["binary", "structured"]),
    help="binary: CloudEvents attributes in headers; structured: in the body.",
)
@click.option(
    "--cdevents-version",
    default=DEFAULTS.cdevents_version,
    type=click.Choice(["0.5.1", "0.4.1"]),
    help="Version of the CDEvents specification; Flux's receiver needs 0.4.1.",
)
@click.option(
    "--cdevents-source",
    help="URI of this controller in events; it must be unique.  [default: the API server's URL]",
)
@click.option(
    "--cdevents-drift",
    default=DEFAULTS.cdevents_drift,
    type=click.Choice(["incident", "custom"]),
    help="Report drift as incidents or as custom events.",
)
@click.option(
    "--environment",
    help="Id of the environment in events.  [default: each repository's target namespace]",
)
@click.option(
    "--webhook-secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the webhook secret of repositories without their own; read again when it changes.  "
    "[default: the variable NOPEA_WEBHOOK_SECRET]",
)
@click.option(
    "--webhook-body-limit",
    default=DEFAULTS.webhook_body_limit,
    type=MemorySize(),
    show_default=False,
    help=f"Maximum size of a webhook's body.  [default: {DEFAULTS.webhook_body_limit // 1024**2}Mi]",
)
@notify_options
@click.option(
    "--shutdown-seconds",
    default=DEFAULTS.shutdown_seconds,
    type=click.FloatRange(1, 3600),
    help="Seconds that a shutdown may take; less than terminationGracePeriodSeconds.",
)
def command(**options: Any) -> None:
    """Run the controller until SIGTERM or SIGINT; a second signal ends it immediately.

    Each option can be set by an environment variable too: --log-level is NOPEA_LOG_LEVEL.

    Example: nopea run --namespace team-shop --log-format console

    Exit codes: 0 shut down after a signal, 1 a core service ended, 2 wrong usage, 3 wrong configuration
    (kubeconfig, cache folder, events, or the address is in use), 128 + N ended by a second signal N.
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
    git_disk: int,
    cache_dir: Path | None,
    log_format: logs.Format | None,
    cdevents_sink: str,
    dashboard_hosts: str,
    sops_vault_role: str | None,
    **same_name: Any,
) -> Settings:
    """Return the settings for the options of the command; raises SettingError.

    `same_name` are the options whose name and value are those of the setting; click has validated them.
    """
    try:
        sinks = parse_addresses(cdevents_sink)
    except InvalidAddressError as error:
        raise SettingError(f"--cdevents-sink: {error}") from error
    if sops_vault_role and not vault.is_role(sops_vault_role):
        raise SettingError(f"--sops-vault-role: {sops_vault_role!r} is not ROLE or MOUNT/ROLE.")
    return Settings(
        sops_vault_role=sops_vault_role or "",
        cdevents_sink=sinks,
        dashboard_hosts=hosts_of(dashboard_hosts),
        git_memory_bytes=git_memory,
        git_disk_bytes=git_disk,
        cache_dir=cache_dir or _default_cache(),
        notify=notify_settings(**{name: same_name.pop(name) for name in NOTIFY_NAMES}),
        tenancy=tenancy_policy(**{name: same_name.pop(name) for name in TENANCY_NAMES}),
        webhook_secret=Secret(os.environ.get(SECRET_VARIABLE, "").strip()),
        log_format=log_format or ("console" if sys.stderr.isatty() else "json"),
        **same_name,
    )
