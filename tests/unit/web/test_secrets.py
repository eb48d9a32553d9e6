"""Where the secrets of webhooks come from, how often they are read, and that none is no way in."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.unit.web.edge import Clock, SecretsOfCluster

from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.webhooks.refused import RefusedError
from nopea.kube.errors import UnreachableError
from nopea.web.secrets import LONGEST_FILE, HookSecrets, SharedSecret

TOKEN = Secret(b"the token")


@pytest.fixture
def cluster() -> SecretsOfCluster:
    """One Secret."""
    return SecretsOfCluster({"shop/hook": {"token": "the token\n"}})


async def test_a_secret_is_kept_for_half_a_minute(cluster: SecretsOfCluster) -> None:
    """Then it is read again; its value has no newline of a file at its end."""
    clock = Clock()
    secrets = HookSecrets(cluster, clock=clock)
    for _ in range(10):
        assert await secrets.read("shop", "hook") == TOKEN
    assert cluster.reads == 1

    clock.seconds += 30
    await secrets.read("shop", "hook")
    assert cluster.reads == 2


async def test_many_who_ask_at_once_are_one_request(cluster: SecretsOfCluster) -> None:
    """Those who come later wait for the first."""
    cluster.delay_seconds = 0.05
    secrets = HookSecrets(cluster, clock=Clock())

    assert await asyncio.gather(*(secrets.read("shop", "hook") for _ in range(20))) == [TOKEN] * 20
    assert cluster.reads == 1


async def test_what_was_missing_is_found_a_second_later(cluster: SecretsOfCluster) -> None:
    """A person who creates the Secret does not wait; a flood asks once a second."""
    clock = Clock()
    secrets = HookSecrets(cluster, clock=clock)
    for _ in range(10):
        with pytest.raises(RefusedError) as refused:
            await secrets.read("shop", "new")
        assert refused.value.problem.code is Code.WEBHOOK_NO_SECRET
    assert cluster.reads == 1

    cluster.data["shop/new"] = {"token": "the token"}
    clock.seconds += 1
    assert await secrets.read("shop", "new") == TOKEN


async def test_it_is_read_again_at_most_once_a_second(cluster: SecretsOfCluster) -> None:
    """However many signatures do not fit."""
    clock = Clock()
    secrets = HookSecrets(cluster, clock=clock)
    await secrets.read("shop", "hook")
    cluster.data["shop/hook"] = {"token": "new"}
    assert await secrets.read_again("shop", "hook") is None

    clock.seconds += 1
    assert await secrets.read_again("shop", "hook") == Secret("new")
    assert await secrets.read_again("shop", "hook") is None
    assert cluster.reads == 2


async def test_an_outage_while_it_is_read_again_leaves_the_refusal(cluster: SecretsOfCluster) -> None:
    """And the secret that was known goes on to serve for its half minute."""
    clock = Clock()
    secrets = HookSecrets(cluster, clock=clock)
    await secrets.read("shop", "hook")
    cluster.error = UnreachableError("no route")
    clock.seconds += 2

    assert await secrets.read_again("shop", "hook") is None
    assert await secrets.read("shop", "hook") == TOKEN


async def test_an_api_server_that_does_not_answer_is_not_waited_for(
    cluster: SecretsOfCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is told to come again."""
    monkeypatch.setattr("nopea.web.secrets.READ_SECONDS", 0.05)
    cluster.delay_seconds = 60
    with pytest.raises(RefusedError) as declined:
        await HookSecrets(cluster, clock=Clock()).read("shop", "hook")

    assert declined.value.status == 503


async def test_an_outage_is_waited_for_once_a_second(
    cluster: SecretsOfCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once by each of many who wait behind each other, and not for each forged signature."""
    monkeypatch.setattr("nopea.web.secrets.READ_SECONDS", 0.05)
    clock = Clock()
    secrets = HookSecrets(cluster, clock=clock)
    await secrets.read("shop", "hook")
    cluster.delay_seconds = 60
    clock.seconds += 5
    assert await asyncio.gather(*(secrets.read_again("shop", "hook") for _ in range(20))) == [None] * 20
    assert cluster.reads == 2

    clock.seconds += 30
    answers = await asyncio.gather(*(secrets.read("shop", "hook") for _ in range(20)), return_exceptions=True)
    assert {answer.status for answer in answers if isinstance(answer, RefusedError)} == {503}
    assert cluster.reads == 3

    cluster.delay_seconds = 0
    clock.seconds += 1
    assert await secrets.read("shop", "hook") == TOKEN


async def test_the_cache_is_bounded(cluster: SecretsOfCluster) -> None:
    """What was asked for longest ago goes first."""
    secrets = HookSecrets(cluster, clock=Clock(), most=2)
    for name in ("a", "b", "hook", "c"):
        cluster.data[f"shop/{name}"] = {"token": "the token"}
        await secrets.read("shop", name)

    assert len(secrets) == 2
    await secrets.read("shop", "hook")
    assert cluster.reads == 4


def test_without_a_value_or_a_file_there_is_none() -> None:
    """Which is a refusal, not a pass."""
    with pytest.raises(RefusedError) as refused:
        SharedSecret(Secret(b""), None).read()

    assert refused.value.status == 403


def test_the_file_wins_and_is_followed(tmp_path: Path) -> None:
    """A mounted Secret is replaced under the same name, by a link or in place."""
    file = tmp_path / "token"
    file.write_text("first\n")
    secret = SharedSecret(Secret("from the environment"), file)
    assert secret.read() == Secret("first")

    new = tmp_path / "new"
    new.write_text("other\n")
    new.replace(file)
    assert secret.read() == Secret("other")

    file.write_text("third\n")
    os.utime(file, ns=(1, 1))
    assert secret.read() == Secret("third")


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_that_holds_nothing_is_refused(tmp_path: Path, content: str | None) -> None:
    """It does not fall back to the value of the environment, and comes back with its file."""
    file = tmp_path / "token"
    secret = SharedSecret(Secret("from the environment"), file)
    if content is not None:
        file.write_text(content)
    with pytest.raises(RefusedError) as refused:
        secret.read()
    assert refused.value.problem.code is Code.WEBHOOK_NO_SECRET

    file.write_text("here")
    assert secret.read() == Secret("here")


def test_a_file_that_goes_takes_the_secret_with_it(tmp_path: Path) -> None:
    """An operator who removes it means it."""
    file = tmp_path / "token"
    file.write_text("first")
    secret = SharedSecret(Secret(b""), file)
    secret.read()
    file.unlink()

    with pytest.raises(RefusedError):
        secret.read()


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """Somebody gave the wrong one."""
    file = tmp_path / "token"
    file.write_bytes(b"x" * 2 * LONGEST_FILE)

    assert len(SharedSecret(Secret(b""), file).read().reveal()) == LONGEST_FILE
