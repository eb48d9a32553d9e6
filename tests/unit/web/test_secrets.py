"""The sources of webhook secrets, how often they are read, and the rejection without a secret."""

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
    """Return a cluster with one Secret."""
    return SecretsOfCluster({"shop/hook": {"token": "the token\n"}})


async def test_a_secret_is_kept_for_half_a_minute(cluster: SecretsOfCluster) -> None:
    """Then the Secret is read again; its value has no trailing newline."""
    clock = Clock()
    secrets = HookSecrets(lambda _: cluster, clock=clock)
    for _ in range(10):
        assert await secrets.read("shop", "hook") == TOKEN
    assert cluster.reads == 1

    clock.seconds += 30
    await secrets.read("shop", "hook")
    assert cluster.reads == 2


async def test_concurrent_reads_are_one_request(cluster: SecretsOfCluster) -> None:
    """Later callers wait for the first one's request."""
    cluster.delay_seconds = 0.05
    secrets = HookSecrets(lambda _: cluster, clock=Clock())

    assert await asyncio.gather(*(secrets.read("shop", "hook") for _ in range(20))) == [TOKEN] * 20
    assert cluster.reads == 1


async def test_a_missing_secret_is_found_a_second_later(cluster: SecretsOfCluster) -> None:
    """A missing Secret is read once a second, so a flood of deliveries is not a flood of requests."""
    clock = Clock()
    secrets = HookSecrets(lambda _: cluster, clock=clock)
    for _ in range(10):
        with pytest.raises(RefusedError) as refused:
            await secrets.read("shop", "new")
        assert refused.value.problem.code is Code.WEBHOOK_NO_SECRET
    assert cluster.reads == 1

    cluster.data["shop/new"] = {"token": "the token"}
    clock.seconds += 1
    assert await secrets.read("shop", "new") == TOKEN


async def test_a_secret_is_read_again_at_most_once_a_second(cluster: SecretsOfCluster) -> None:
    """The limit holds for any number of wrong signatures."""
    clock = Clock()
    secrets = HookSecrets(lambda _: cluster, clock=clock)
    await secrets.read("shop", "hook")
    cluster.data["shop/hook"] = {"token": "new"}
    assert await secrets.read_again("shop", "hook") is None

    clock.seconds += 1
    assert await secrets.read_again("shop", "hook") == Secret("new")
    assert await secrets.read_again("shop", "hook") is None
    assert cluster.reads == 2


async def test_an_outage_during_the_second_read_keeps_the_refusal(cluster: SecretsOfCluster) -> None:
    """The known secret stays in use for the rest of its half minute."""
    clock = Clock()
    secrets = HookSecrets(lambda _: cluster, clock=clock)
    await secrets.read("shop", "hook")
    cluster.error = UnreachableError("no route")
    clock.seconds += 2

    assert await secrets.read_again("shop", "hook") is None
    assert await secrets.read("shop", "hook") == TOKEN


async def test_a_silent_api_server_is_not_waited_for(
    cluster: SecretsOfCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender gets a 503 and has to retry."""
    monkeypatch.setattr("nopea.web.secrets.READ_SECONDS", 0.05)
    cluster.delay_seconds = 60
    with pytest.raises(RefusedError) as declined:
        await HookSecrets(lambda _: cluster, clock=Clock()).read("shop", "hook")

    assert declined.value.status == 503


async def test_an_outage_is_waited_for_once_a_second(
    cluster: SecretsOfCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither concurrent requests nor forged signatures multiply the wait."""
    monkeypatch.setattr("nopea.web.secrets.READ_SECONDS", 0.05)
    clock = Clock()
    secrets = HookSecrets(lambda _: cluster, clock=clock)
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
    """The Secret that was requested longest ago is evicted first."""
    secrets = HookSecrets(lambda _: cluster, clock=Clock(), most=2)
    for name in ("a", "b", "hook", "c"):
        cluster.data[f"shop/{name}"] = {"token": "the token"}
        await secrets.read("shop", name)

    assert len(secrets) == 2
    await secrets.read("shop", "hook")
    assert cluster.reads == 4


def test_without_a_value_or_a_file_there_is_no_secret() -> None:
    """Without a value or a file there is no secret, so deliveries are rejected."""
    with pytest.raises(RefusedError) as refused:
        SharedSecret(Secret(b""), None).read()

    assert refused.value.problem.code is Code.WEBHOOK_NO_SECRET


def test_the_file_takes_precedence_and_is_read_again(tmp_path: Path) -> None:
    """The new value is used after a mounted file is replaced or rewritten."""
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
def test_a_missing_or_empty_file_is_refused(tmp_path: Path, content: str | None) -> None:
    """The value of the environment is not used instead; a file with content is read at once."""
    file = tmp_path / "token"
    secret = SharedSecret(Secret("from the environment"), file)
    if content is not None:
        file.write_text(content)
    with pytest.raises(RefusedError) as refused:
        secret.read()
    assert refused.value.problem.code is Code.WEBHOOK_NO_SECRET

    file.write_text("here")
    assert secret.read() == Secret("here")


def test_a_deleted_file_deletes_the_secret(tmp_path: Path) -> None:
    """An operator who deletes the file revokes the secret."""
    file = tmp_path / "token"
    file.write_text("first")
    secret = SharedSecret(Secret(b""), file)
    secret.read()
    file.unlink()

    with pytest.raises(RefusedError):
        secret.read()


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """The operator may have configured a wrong file."""
    file = tmp_path / "token"
    file.write_bytes(b"x" * 2 * LONGEST_FILE)

    assert len(SharedSecret(Secret(b""), file).read().reveal()) == LONGEST_FILE


async def test_the_secrets_of_one_namespace_push_out_none_of_another(cluster: SecretsOfCluster) -> None:
    """Each namespace has room of its own."""
    secrets = HookSecrets(lambda _: cluster, clock=Clock(), most=2)
    await secrets.read("shop", "hook")
    for number in range(10):
        with pytest.raises(RefusedError):
            await secrets.read("noisy", str(number))
    reads = cluster.reads

    assert await secrets.read("shop", "hook") == TOKEN
    assert cluster.reads == reads
    assert len(secrets) == 3


async def test_each_namespace_asks_the_api_server_for_itself(cluster: SecretsOfCluster) -> None:
    """A namespace whose requests wait does not make others wait."""
    asked: list[str] = []

    def client_of(namespace: str) -> SecretsOfCluster:
        asked.append(namespace)
        return cluster

    secrets = HookSecrets(client_of, clock=Clock())
    await secrets.read("shop", "hook")
    with pytest.raises(RefusedError):
        await secrets.read("noisy", "hook")

    assert asked == ["shop", "noisy"]
