"""Settings of `nopea run`: one frozen value, filled from flags and `NOPEA_*` by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nopea.core.api.notify import DEFAULT_KINDS, NotificationKind, Severity
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.failures import HOLD_SECONDS
from nopea.core.secret import Secret
from nopea.logs import Format

NO_SECRET = Secret(b"")


class SettingError(Exception):
    """A setting that cannot be used; the text names it and says what to do, and shows no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Whom to tell and how much. `cluster` is said in every message: readers may have several."""

    json_urls: tuple[ReceiverAddress, ...] = ()
    secret: Secret = NO_SECRET
    slack_urls: tuple[ReceiverAddress, ...] = ()
    teams_urls: tuple[ReceiverAddress, ...] = ()
    discord_urls: tuple[ReceiverAddress, ...] = ()
    alertmanager_urls: tuple[ReceiverAddress, ...] = ()
    kinds: frozenset[NotificationKind] = DEFAULT_KINDS
    severity: Severity = Severity.INFO
    """The least that is sent to these addresses."""
    after_seconds: float = HOLD_SECONDS
    """How long what may end without a person must last to be reported."""
    per_minute: int = 30
    cluster: str = ""
    commit_status: bool = False
    target_url: str = ""
    pull_request_plans: bool = False
    """Comment plans on the pull requests of GitRepositories that ask for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process is told. Sizes in bytes, durations in seconds."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    """Watch this namespace only; None is the whole cluster."""
    host: str = "0.0.0.0"  # noqa: S104 - kubelet probes reach the pod's address
    port: int = 4000
    """Of webhooks, which come from outside."""
    probe_port: int = 4001
    """Of probes and metrics, which only the cluster reads."""
    users_port: int = 4002
    """Of what the API server reports of writes, if `record_users`."""
    record_users: bool = False
    """Report which user changed an object."""
    dashboard: bool = False
    dashboard_port: int = 4003
    dashboard_hosts: tuple[str, ...] = ()
    """The names under which visitors reach the dashboard, beside those of this machine."""
    log_level: str = "info"
    log_format: Format = "json"
    cache_dir: Path = Path("/var/cache/nopea")
    git_children: int = 2
    git_memory_bytes: int = 512 * 1024 * 1024
    git_disk_bytes: int = 6 * 1024 * 1024 * 1024
    tenancy: TenancyPolicy = LEAST
    sops_vault_token_file: Path | None = None
    """Nopea's own token for Vault; with a role, that of a service account, to log in with."""
    sops_vault_role: str = ""
    """The role to log in as, after the mount of its method if that is not `kubernetes`."""
    notify: NotifySettings = NotifySettings()
    cdevents_sink: tuple[ReceiverAddress, ...] = ()
    """Who gets CDEvents; nobody by default."""
    cdevents_mode: Literal["binary", "structured"] = "binary"
    cdevents_version: Literal["0.5.1", "0.4.1"] = "0.5.1"
    cdevents_source: str | None = None
    """The URI that this controller signs events with; None: the API server's."""
    cdevents_drift: Literal["incident", "custom"] = "incident"
    environment: str | None = None
    """The id of all environments in events; None: each repository's target namespace."""
    webhook_secret: Secret = NO_SECRET
    """Of deliveries to repositories without a secret of their own; comes from the environment only."""
    webhook_secret_file: Path | None = None
    """The same as a file, which wins; it is read again when it changes."""
    webhook_body_limit: int = 2 * 1024 * 1024
    shutdown_seconds: float = 25.0
    """All of the drain, from SIGTERM to the end; below terminationGracePeriodSeconds."""
