"""The options that say what GitRepositories may do."""

from __future__ import annotations

import click
import pytest

from nopea.cli.commands.run import command, settings_of
from nopea.cli.duration import Duration
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.decryption.rules import KeyRule
from nopea.settings import SettingError


def policy(*arguments: str) -> TenancyPolicy:
    """Return the policy of a command line."""
    with command.make_context("run", list(arguments)) as context:
        return settings_of(**context.params).tenancy


def test_the_least_is_allowed_by_default() -> None:
    """Every allowance is a decision of whoever runs Nopea."""
    assert policy() == LEAST
    assert not LEAST.apply_as_controller
    assert not LEAST.default_service_account


def test_hosts_are_a_list() -> None:
    """Spaces and empty parts do not count; host names have no case."""
    assert policy("--allowed-hosts= git.acme.example,,*.Corp.example").allowed_hosts == (
        "git.acme.example",
        "*.corp.example",
    )


@pytest.mark.parametrize("text", ["", "0s", "5", "-1s", "soon"])
def test_other_durations_are_refused(text: str) -> None:
    """Zero would spin, and a number without a unit is a guess."""
    with pytest.raises(click.BadParameter, match="is not a duration"):
        Duration().convert(text, None, None)


def test_keys_are_a_list_of_namespaces_with_keys() -> None:
    """None by default; what is not one ends the process before it starts."""
    arn = "arn:aws:kms:eu-west-2:111122223333:key/a"

    assert policy(f"--sops-keys=shop={arn}").sops_keys == (KeyRule("shop", arn),)
    with pytest.raises(SettingError, match="--sops-keys: 'shop' is not NAMESPACE=KEY"):
        policy("--sops-keys=shop")
    with pytest.raises(SettingError, match="--sops-vault-role: '/x' is not ROLE"):
        policy("--sops-vault-role=/x")
