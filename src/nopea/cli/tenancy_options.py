"""The options of `nopea run` that say what GitRepositories may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from nopea.cli.duration import Duration
from nopea.core.api.tenancy import LEAST, MAX_OBJECTS, TenancyPolicy
from nopea.core.decryption.rules import InvalidRuleError, parse_rules
from nopea.core.git.networks import Networks
from nopea.settings import SettingError

F = TypeVar("F", bound=Callable[..., Any])

NAMES = tuple(field.name for field in fields(TenancyPolicy) if field.name != "is_command")
"""The parameters that the options fill, each named as its field of TenancyPolicy."""


def tenancy_options(command: F) -> F:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def tenancy_policy(
    *,
    default_service_account: str | None,
    allowed_hosts: str,
    remote_bases: str,
    sops_keys: str,
    git_networks: str,
    **rest: Any,
) -> TenancyPolicy:
    """Return the policy that the options give; `rest` are those with the name and value of their field.

    Raises SettingError.
    """
    try:
        rules = parse_rules(sops_keys)
    except InvalidRuleError as error:
        raise SettingError(f"--sops-keys: {error}.") from error
    return TenancyPolicy(
        sops_keys=rules,
        default_service_account=default_service_account or "",
        allowed_hosts=hosts_of(allowed_hosts),
        remote_bases=hosts_of(remote_bases),
        git_networks=Networks(git_networks),
        **rest,
    )


def hosts_of(text: str) -> tuple[str, ...]:
    """Return the hosts of a list that is separated by commas."""
    hosts = (host.strip().lower() for host in text.split(","))
    return tuple(host for host in hosts if host)


_OPTIONS = (
    click.option(
        "--read-only",
        is_flag=True,
        help="Plan and report, and write nothing that is in Git: see docs/install.md.",
    ),
    click.option(
        "--apply-as-controller",
        is_flag=True,
        help="Apply the objects of GitRepositories without a service account with Nopea's own rights.",
    ),
    click.option(
        "--default-service-account",
        metavar="NAME",
        help="Service account, in the namespace of the GitRepository, of those that name none.  "
        "[default: none]",
    ),
    click.option(
        "--cross-namespace-refs",
        is_flag=True,
        help="Allow spec.dependsOn to name GitRepositories in other namespaces.",
    ),
    click.option(
        "--allowed-hosts",
        default="",
        show_default=False,
        metavar="HOSTS",
        help="Hosts that spec.url and spec.helm.chart may name, comma-separated; * stands for any text.  "
        "[default: all]",
    ),
    click.option(
        "--remote-bases",
        default="",
        show_default=False,
        metavar="HOSTS",
        help="Hosts of the remote resources and components that kustomizations may refer to.  "
        "[default: none]",
    ),
    click.option(
        "--sops-keys",
        default="",
        show_default=False,
        metavar="NAMESPACE=KEY",
        help="Keys at key services that namespaces may use with Nopea's own identity, comma-separated.  "
        "[default: none]",
    ),
    click.option(
        "--git-networks",
        default=LEAST.git_networks.value,
        type=click.Choice([networks.value for networks in Networks]),
        help="public: Git servers with public addresses only; private: also private addresses; "
        "any: also this host and link-local addresses.",
    ),
    click.option(
        "--allow-http-credentials",
        is_flag=True,
        help="Allow credentials to be sent over http, which does not encrypt them.",
    ),
    click.option(
        "--allow-file-urls",
        is_flag=True,
        help="Allow file:// URLs, which read from this machine, in GitRepositories.",
    ),
    click.option(
        "--min-interval",
        default=LEAST.min_interval,
        type=Duration(),
        show_default=False,
        help="Shortest interval and retryInterval; a shorter one in a spec is raised to it.  [default: 1s]",
    ),
    click.option(
        "--max-timeout",
        default=LEAST.max_timeout,
        type=Duration(),
        show_default=False,
        help="Longest timeout; a longer one in a spec is lowered to it.  [default: 1h]",
    ),
    click.option(
        "--max-objects",
        default=LEAST.max_objects,
        type=click.IntRange(1, MAX_OBJECTS),
        help="Most objects that one GitRepository may declare.",
    ),
)
