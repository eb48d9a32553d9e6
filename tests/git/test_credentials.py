"""Credentials with real servers: which ones are accepted or refused, and that no secret is disclosed."""

from __future__ import annotations

import logging
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, files_of, key_of, running
from tests.git.faulty import FaultyServer
from tests.git.sshd import SshServer, make_key
from tests.gitserver import Access, GitServer, Origin

from nopea.core.git.source import Credentials, Remote
from nopea.core.problem import Code, StalledError
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings

PASSWORD = "correct-horse-battery"
TOKEN = "tok-4711-staple"
BASIC = Credentials(username="acme", password=Secret(PASSWORD))
BEARER = Credentials(token=Secret(TOKEN))


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The settings of a controller in a cluster: the children read as few files as they ever do."""
    return GitSettings(cache_dir=tmp_path / "cache")


async def refused(port: GitPort, remote: Remote) -> tuple[Code, str]:
    """Sync with a remote that a user must correct, and return the code and the full text of the error."""
    with pytest.raises(StalledError) as failure:
        await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
    (problem,) = failure.value.problems
    return problem.code, str(failure.value)


@pytest.mark.parametrize(
    ("access", "good"),
    [(Access(username="acme", password=PASSWORD), BASIC), (Access(token=TOKEN), BEARER)],
    ids=["basic", "token"],
)
async def test_valid_credentials_are_accepted(
    port: GitPort, server: GitServer, origin: Origin, access: Access, good: Credentials
) -> None:
    """A correct password or token is accepted; a missing or a wrong one is refused."""
    server.access = access
    url = server.url("shop.git")

    assert (await port.sync(Remote(url, good), MAIN, timeout_seconds=PATIENCE)).id == origin.tip()
    assert await port.ls_remote(Remote(url, good), MAIN, timeout_seconds=PATIENCE) == origin.tip()
    code, text = await refused(port, Remote(url))
    assert code == Code.GIT_AUTHENTICATION
    assert "spec.secretRef" in text
    wrong = replace(good, password=Secret("wrong-secret"), token=Secret(b""))
    code, text = await refused(port, Remote(url, wrong))
    assert code == Code.GIT_AUTHENTICATION
    assert "wrong-secret" not in text


async def test_other_credentials_do_not_open_the_mirror(port: GitPort, server: GitServer) -> None:
    """A mirror belongs to its credentials: a remote without them cannot read what is already on disk."""
    server.access = Access(username="acme", password=PASSWORD)
    remote = Remote(server.url("shop.git"), BASIC)
    commit = await port.sync(remote, MAIN, timeout_seconds=PATIENCE)

    with pytest.raises(StalledError):
        await files_of(port, Remote(remote.url), commit.id, "", timeout_seconds=PATIENCE)


@pytest.mark.parametrize("credentials", [BASIC, BEARER, Credentials()], ids=["basic", "token", "none"])
async def test_a_redirect_to_another_host_is_not_followed(port: GitPort, credentials: Credentials) -> None:
    """A redirect to another host is an error that says so, and the other host gets no request."""
    with FaultyServer(faulty.always(faulty.answer("404 Not Found"))) as elsewhere:
        there = elsewhere.url("shop.git/info/refs?service=git-upload-pack", host="localhost")
        found = faulty.answer("302 Found", headers=f"Location: {there}\r\n".encode())
        with FaultyServer(faulty.always(found)) as redirecting:
            code, text = await refused(port, Remote(redirecting.url(), credentials))

        assert code == Code.GIT_PROTOCOL
        assert "another host" in text
        assert elsewhere.requests == []


async def test_a_redirect_on_the_same_host_is_followed(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """A repository that was renamed on its server is found."""
    there = server.url("shop.git/info/refs?service=git-upload-pack")
    found = faulty.answer("301 Moved", headers=f"Location: {there}\r\n".encode())
    with FaultyServer(faulty.always(found)) as redirecting:
        commit = await port.sync(Remote(redirecting.url()), MAIN, timeout_seconds=PATIENCE)
    assert commit.id == origin.tip()


async def test_a_downgrade_from_https_does_not_send_the_token(
    port: GitPort, authority: tuple[str, Path, Path]
) -> None:
    """If an HTTPS server redirects to plain HTTP on the same host, no request is sent there."""
    ca, certificate, key = authority
    with FaultyServer(faulty.always(faulty.answer("404 Not Found"))) as plain:
        there = plain.url("shop.git/info/refs?service=git-upload-pack")
        found = faulty.answer("302 Found", headers=f"Location: {there}\r\n".encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with FaultyServer(faulty.always(found), tls=context) as redirecting:
            remote = Remote(redirecting.url(scheme="https"), replace(BEARER, ca_crt=ca))
            await refused(port, remote)
        assert plain.requests == []


async def test_a_private_authority_is_trusted_only_with_its_secret(
    port: GitPort, root: Path, origin: Origin, authority: tuple[str, Path, Path]
) -> None:
    """A server is accepted only with its `ca.crt`, even after another remote has trusted it."""
    ca, certificate, key = authority
    with GitServer(root, certificate=(certificate, key)) as server:
        url = server.url("shop.git")
        trusting = Remote(url, Credentials(ca_crt=ca))

        assert (await refused(port, Remote(url)))[0] == Code.GIT_CERTIFICATE
        assert (await port.sync(trusting, MAIN, timeout_seconds=PATIENCE)).id == origin.tip()
        assert (await refused(port, Remote(url)))[0] == Code.GIT_CERTIFICATE
        wrong_name = Remote(server.url("shop.git", host="localhost"), Credentials(ca_crt=ca))
        assert (await refused(port, wrong_name))[0] == Code.GIT_CERTIFICATE


async def test_an_authority_of_the_environment_is_trusted(
    settings: GitSettings, root: Path, origin: Origin, authority: tuple[str, Path, Path],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """SSL_CERT_FILE may be anywhere; the children can read it."""
    ca, certificate, key = authority
    (tmp_path / "ca.pem").write_text(ca)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with GitServer(root, certificate=(certificate, key)) as server:
        async with running(GitPort(settings)) as port:
            remote = Remote(server.url("shop.git"))
            assert (await port.sync(remote, MAIN, timeout_seconds=PATIENCE)).id == origin.tip()


async def test_children_for_authorities_are_bounded(
    tmp_path: Path, root: Path, origin: Origin, authority: tuple[str, Path, Path]
) -> None:
    """Many different `ca.crt` share a limited number of children."""
    ca, certificate, key = authority
    port = GitPort(GitSettings(cache_dir=tmp_path / "cache", trust_children=2))
    with GitServer(root, certificate=(certificate, key)) as server:
        async with running(port):
            for number in range(5):
                remote = Remote(server.url("shop.git"), Credentials(ca_crt=f"{ca}# {number}\n"))
                assert (await port.sync(remote, MAIN, timeout_seconds=PATIENCE)).id == origin.tip()
                assert len(port.pids()) <= 4  # the main child, two with an authority, one that is ending


@pytest.mark.parametrize(
    ("kind", "passphrase"), [("ed25519", ""), ("ecdsa", ""), ("rsa", ""), ("ed25519", "open-sesame")]
)
async def test_an_ssh_key_is_accepted(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path, kind: str, passphrase: str
) -> None:
    """Keys of each type, and one with a passphrase, are accepted on a known host."""
    remote = Remote(ssh.url(origin.path), key_of(tmp_path, ssh, kind=kind, passphrase=passphrase))

    commit = await port.sync(remote, MAIN, timeout_seconds=PATIENCE)

    assert commit.id == origin.tip()
    assert len(await files_of(port, remote, commit.id, "", timeout_seconds=PATIENCE)) == 4


async def test_an_unknown_or_changed_host_key_is_refused(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path
) -> None:
    """Without a known_hosts entry that has the host and its key, the connection is refused."""
    good = key_of(tmp_path, ssh)
    url = ssh.url(origin.path)
    other = make_key(tmp_path / "other").split()[1]
    changed = f"[127.0.0.1]:{ssh.port} ssh-ed25519 {other}\n"

    for known_hosts in ("", "git.acme.example ssh-ed25519 " + other + "\n", changed):
        code, text = await refused(port, Remote(url, replace(good, known_hosts=known_hosts)))
        assert code == Code.GIT_HOST_KEY
        assert "known_hosts" in text


async def test_a_key_that_is_not_accepted_is_an_authentication_problem(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path
) -> None:
    """An unknown key, an empty one, a wrong passphrase and an invalid key are authentication problems."""
    good = key_of(tmp_path, ssh, passphrase="open-sesame")
    url = ssh.url(origin.path)
    make_key(tmp_path / "stranger")
    stranger = replace(
        good, identity=Secret((tmp_path / "stranger").read_bytes()), identity_password=Secret("")
    )

    for wrong in (
        stranger, replace(good, identity=Secret(b"")), replace(good, identity_password=Secret("wrong-one")),
        replace(good, identity=Secret("no key")),
    ):  # fmt: skip
        assert (await refused(port, Remote(url, wrong)))[0] == Code.GIT_AUTHENTICATION


async def test_a_missing_repository_over_ssh_is_reported(
    port: GitPort, ssh: SshServer, tmp_path: Path
) -> None:
    """Over SSH, a path without a repository is a missing repository, not a connection failure."""
    remote = Remote(ssh.url(tmp_path / "nothing.git"), key_of(tmp_path, ssh))
    assert (await refused(port, remote))[0] == Code.GIT_NOT_FOUND


async def test_no_secret_is_in_any_output(
    port: GitPort, server: GitServer, caplog: pytest.LogCaptureFixture, settings: GitSettings
) -> None:
    """No argument, environment, log, error or file contains a password, not even one from a URL."""
    caplog.set_level(logging.DEBUG)
    server.access = Access(username="acme", password=PASSWORD)
    url = server.url("shop.git")
    in_url = url.replace("http://", f"http://acme:{TOKEN}@")
    await port.sync(Remote(url, BASIC), MAIN, timeout_seconds=PATIENCE)
    texts = [(await refused(port, Remote(in_url)))[1], (await refused(port, Remote(url, BEARER)))[1]]

    texts += [caplog.text, *(str(vars(record)) for record in caplog.records)]
    texts += traces(port, settings)

    for secret in (PASSWORD, TOKEN):
        assert not any(secret in text for text in texts)


def traces(port: GitPort, settings: GitSettings) -> list[str]:
    """Return what other users can see of the children, and the content of every file in the cache."""
    processes = [f"/proc/{pid}/{name}" for pid in port.pids() for name in ("cmdline", "environ")]
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    files = [str(path) for path in settings.cache_dir.rglob("*") if path.is_file()]
    return [listing.stdout, *(Path(path).read_text(errors="replace") for path in [*processes, *files])]
