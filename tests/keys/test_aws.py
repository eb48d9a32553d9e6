"""Logins at AWS: of the environment, of STS, and of the agent of EKS Pod Identity."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.keys.clouds import Agent, Sts
from tests.keys.servers import Kms
from tests.keys.sops import DATA_KEY
from tests.keys.test_port import AWS, POLICY, kms_key, user

from nopea.core.decryption.endpoints import Endpoints
from nopea.core.decryption.keys import KmsKey
from nopea.core.secret import Secret
from nopea.keys.aws import AwsKms
from nopea.keys.http import KeyWeb
from nopea.keys.identity import IdentitySettings, KeyIdentity, NoIdentityError
from nopea.keys.port import KeyServices

pytestmark = pytest.mark.usefixtures("trusted")
OWN = {"AWS_ACCESS_KEY_ID": "AKIANOPEA", "AWS_SECRET_ACCESS_KEY": "secret-of-nopea"}
ROLE = "arn:aws:iam::111122223333:role/nopea"
IN_LONDON = KmsKey(id="1", arn="arn:aws:kms:eu-west-2:111122223333:key/a", ciphertext="AQICAHh4")


def web_identity(folder: Path, text: str = "token of the pod\n") -> dict[str, str]:
    """Return the variables that EKS sets for a role of the service account."""
    (folder / "aws-token").write_text(text)
    return {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "aws-token")}


def aws_kms(settings: IdentitySettings, web_: KeyWeb, sts: Sts) -> AwsKms:
    """Return the service with Nopea's identity; the STS of the test is that of AWS."""
    return AwsKms(KeyIdentity(settings, web_), Endpoints({"sts": f"{sts.origin}/"}))


def _pod_identity(folder: Path, agent: Agent, text: str = "token of the pod\n") -> dict[str, str]:
    (folder / "eks-token").write_text(text)
    return {
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "eks-token"),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.origin}/v1/credentials",
    }


async def test_sources_of_a_login_come_in_the_order_of_awss_tools(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path
) -> None:
    """The environment, the role of the service account, the agent of the Pod; nobody else is asked."""
    by_agent = _pod_identity(tmp_path, agent)
    by_role = {**by_agent, **web_identity(tmp_path)}
    found = [
        (await aws_kms(IdentitySettings(environment=environment), web_, sts).own(IN_LONDON)).access_key
        for environment in ({**by_role, **OWN}, by_role, by_agent)
    ]

    assert found == ["AKIANOPEA", "ASIA1", "ASIAPOD1"]
    assert (len(sts.asked), len(agent.asked)) == (1, 1)


async def test_the_role_of_the_service_account(web_: KeyWeb, sts: Sts, tmp_path: Path) -> None:
    """A login that was given is kept."""
    settings = IdentitySettings(environment=web_identity(tmp_path))
    identity = aws_kms(settings, web_, sts)
    assert "secret-of-nopea" not in repr(IdentitySettings(environment=OWN))

    login = await identity.own(IN_LONDON)

    assert (login.access_key, login.session_token) == ("ASIA1", Secret("session"))
    assert await identity.own(IN_LONDON) == login
    identity.forget()
    assert await identity.own(IN_LONDON) == login, "it is new"
    (asked,) = sts.asked
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRoleWithWebIdentity", ROLE)


async def test_pod_identity_gives_a_login_until_it_ends(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept; the token is read again for the next one."""
    identity = aws_kms(IdentitySettings(environment=_pod_identity(tmp_path, agent)), web_, sts)

    login = await identity.own(IN_LONDON)
    assert (login.access_key, login.session_token) == ("ASIAPOD1", Secret("session"))
    assert await identity.own(IN_LONDON) == login
    assert agent.asked == [("GET", "/v1/credentials", "token of the pod")]

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + 3590)
    assert (await identity.own(IN_LONDON)).access_key == "ASIAPOD2"

    identity = aws_kms(IdentitySettings(environment=_pod_identity(tmp_path, agent, "another")), web_, sts)
    with pytest.raises(NoIdentityError, match=r"EKS Pod Identity gave Nopea no login .* HTTP 400"):
        await identity.own(IN_LONDON)


async def test_a_token_is_sent_to_no_other_host_in_the_clear(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path
) -> None:
    """As AWS's own tools have it."""
    environment = _pod_identity(tmp_path, agent)
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://agent.acme.example/v1/credentials"
    with pytest.raises(NoIdentityError, match="AWS_CONTAINER_CREDENTIALS_FULL_URI names neither"):
        await aws_kms(IdentitySettings(environment=environment), web_, sts).own(IN_LONDON)


async def test_a_login_that_a_service_refused_is_asked_for_again(
    web_: KeyWeb, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is new. The file is read again: whoever writes it, replaces it."""
    monkeypatch.setattr("nopea.keys.identity._NEW_SECONDS", -1.0)
    settings = IdentitySettings(environment=web_identity(tmp_path))
    identity = aws_kms(settings, web_, sts)
    assert (await identity.own(IN_LONDON)).access_key == "ASIA1"

    identity.forget()
    assert (await identity.own(IN_LONDON)).access_key == "ASIA2"

    identity.forget()
    web_identity(tmp_path, "another token")
    with pytest.raises(NoIdentityError, match="HTTP 400, InvalidIdentityToken"):
        await identity.own(IN_LONDON)


async def test_a_role_in_the_file_is_assumed_by_the_tenants_login(kms: Kms, sts: Sts) -> None:
    """KMS is asked as the role."""
    key = replace(kms_key(kms), role=ROLE)
    endpoints = Endpoints({"kms": f"{kms.origin}/", "sts": f"{sts.origin}/"})
    async with KeyServices(POLICY, endpoints=endpoints) as services:
        assert await services.open(key, user(aws=AWS, ca_crt=kms.ca_crt)) == Secret(DATA_KEY)

    assert [fields["RoleArn"] for fields in sts.asked] == [ROLE]
    assert kms.decryptions()[-1] == "ASIA1"
