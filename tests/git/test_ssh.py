"""SSH as people have it: users, known_hosts as OpenSSH reads it, keys that cannot be opened."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.git.conftest import MAIN, PATIENCE, key_of
from tests.git.sshd import SshServer, make_key
from tests.gitserver import Origin

from nopea.core.git.credentials import parse_credentials
from nopea.core.git.known_hosts import host_keys
from nopea.core.git.source import Credentials, Remote
from nopea.core.problem import Code, Problem, StalledError, SyncError
from nopea.core.secret import Secret
from nopea.git.port import GitPort


def openssh_accepts(ssh: SshServer, known_hosts: str, folder: Path, *, host: str = "127.0.0.1") -> bool:
    """Return whether OpenSSH's own client accepts the server's key with this known_hosts."""
    (folder / "openssh").write_text(known_hosts)
    options = (
        f"UserKnownHostsFile={folder / 'openssh'}", "GlobalKnownHostsFile=/dev/null", "BatchMode=yes",
        "StrictHostKeyChecking=yes", f"IdentityFile={folder / 'key'}", "HostKeyAlgorithms=ssh-ed25519",
    )  # fmt: skip
    arguments = [part for option in options for part in ("-o", option)]
    command = ["ssh", "-F", "/dev/null", *arguments, "-p", str(ssh.port), f"{ssh.user}@{host}", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def fingerprint(key: str) -> str:
    """Return what ssh-keygen says of a public key."""
    command = ["ssh-keygen", "-l", "-f", "/dev/stdin"]
    return subprocess.run(command, input=key, capture_output=True, text=True, check=True).stdout.split()[1]


async def refused(port: GitPort, url: str, credentials: Credentials) -> Problem:
    """Sync with what a user must correct, and return the problem."""
    with pytest.raises(StalledError) as failure:
        await port.sync(Remote(url, credentials), MAIN, timeout_seconds=PATIENCE)
    (problem,) = failure.value.problems
    return problem


@pytest.mark.parametrize("form", ["ssh://nobody@127.0.0.1:{port}{path}", "[nobody@127.0.0.1:{port}]:{path}"])
async def test_the_user_of_the_secret_goes_before_that_of_the_url(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path, form: str
) -> None:
    """The URL names a user who may not log in; the Secret names another one."""
    url = form.format(port=ssh.port, path=origin.path)
    good = key_of(tmp_path, ssh)

    assert (await refused(port, url, good)).code is Code.GIT_AUTHENTICATION
    found = await port.sync(Remote(url, replace(good, username=ssh.user)), MAIN, timeout_seconds=PATIENCE)

    assert found.id == origin.tip()


@pytest.mark.parametrize(
    "lines",
    [
        "* {key}\n",
        "[127.0.0.*]:{port} {key}\n",
        "git.acme.example,[127.0.?.1]:* {key} a comment\n",
        "this is not a line\n127.0.0.1 ssh-ed25519 !!!\n[127.0.0.1]:{port} {key}\r\n",
        "[127.0.0.1]:{port}\t{key}\r\n\r\n# the end",
        "@cert-authority * {key}\n127.0.0.1 {key}\n",
        "@revoked 127.0.0.1 {key}\n[127.0.0.1]:{port} {key}\n",
        "@new-marker * {key}\n  [127.0.0.1]:{port} {key}",
    ],
)  # fmt: skip
async def test_known_hosts_is_read_as_openssh_reads_it(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path, lines: str
) -> None:
    """Patterns, markers, line ends, and lines that cannot be read."""
    good = key_of(tmp_path, ssh)
    key = " ".join(ssh.host_key.split()[:2])
    credentials = replace(good, known_hosts=lines.format(port=ssh.port, key=key))
    assert openssh_accepts(ssh, credentials.known_hosts, tmp_path)

    found = await port.sync(Remote(ssh.url(origin.path), credentials), MAIN, timeout_seconds=PATIENCE)

    assert found.id == origin.tip()


async def test_host_names_are_compared_without_case(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path
) -> None:
    """DNS does not know upper case either."""
    good = key_of(tmp_path, ssh)
    known_hosts = ssh.known_hosts.replace("127.0.0.1", "localhost")
    url = ssh.url(origin.path).replace("127.0.0.1", "LocalHost")
    assert openssh_accepts(ssh, known_hosts, tmp_path, host="LocalHost")

    found = await port.sync(
        Remote(url, replace(good, known_hosts=known_hosts)), MAIN, timeout_seconds=PATIENCE
    )

    assert found.id == origin.tip()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("@revoked * {key}\n* {key}\n", "as revoked"),
        ("@revoked [127.0.0.1]:{port} {key}\n127.0.0.1 {key}\n", "as revoked"),
        ("*,!*127.0.0.1* {key}\n", "does not list this host"),
        ("git.acme.example {key}\n", "does not list this host"),
        ("[127.0.0.1]:{port} {other}\n127.0.0.1 {key}\n", "another one"),
        ("* {other}\n", "another one"),
        ("@cert-authority * {key}\n", "@cert-authority"),
        ("@cert-authority\n", "does not list this host"),
    ],
)  # fmt: skip
async def test_a_host_key_is_refused_with_its_reason_and_fingerprint(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path,
    lines: str, words: str,
) -> None:  # fmt: skip
    """A host that is not listed, another key, a revoked one, an authority: in each case it says which."""
    good = key_of(tmp_path, ssh)
    key = " ".join(ssh.host_key.split()[:2])
    other = " ".join(make_key(tmp_path / "other").split()[:2])
    credentials = replace(good, known_hosts=lines.format(port=ssh.port, key=key, other=other))
    assert not openssh_accepts(ssh, credentials.known_hosts, tmp_path)

    problem = await refused(port, ssh.url(origin.path), credentials)

    assert problem.code is Code.GIT_HOST_KEY
    assert words in problem.message
    assert f"the server shows ssh-ed25519 {fingerprint(key)}" in problem.message


async def test_hosts_of_one_ordinary_file_share_a_child(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path
) -> None:
    """Else each host of a namespace needs one of the few children for a trust of their own."""
    good = key_of(tmp_path, ssh)
    credentials = replace(
        good, known_hosts=ssh.known_hosts + ssh.known_hosts.replace("127.0.0.1", "localhost")
    )
    for host in ("127.0.0.1", "localhost"):
        url = ssh.url(origin.path).replace("127.0.0.1", host)
        await port.sync(Remote(url, credentials), MAIN, timeout_seconds=PATIENCE)

    assert port.statistics().children_now == 2  # the main child, and that for this file


@pytest.mark.parametrize("host", ["[127.0.0.1]:2201", "git.acme.example", "[git.acme.example]:22022"])
def test_hashed_names_are_found_where_ssh_keygen_finds_them(tmp_path: Path, host: str) -> None:
    """The names of known_hosts are hashed where HashKnownHosts is set, as on Debian."""
    kind, key = make_key(tmp_path / "host").split()[:2]
    file = tmp_path / "known_hosts"
    file.write_text(f"{host} {kind} {key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")

    url = f"ssh://git@{host.replace('[', '').replace(']', '')}/shop.git"
    (found,) = host_keys(file.read_text(), url).accepted

    assert found.base64 == key
    assert host_keys(file.read_text(), "ssh://git@other.example/shop.git").accepted == ()


@pytest.mark.parametrize("form", [(), ("-m", "PEM"), ("-m", "PKCS8")])
async def test_a_wrong_passphrase_is_named(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """Whatever libssh2 says of the key, the user must correct identity_password."""
    ssh.authorize(make_key(tmp_path / "key", *form, kind="ecdsa", passphrase="open-sesame"))
    identity = (tmp_path / "key").read_bytes()
    good = Credentials(
        identity=Secret(identity), identity_password=Secret("open-sesame"), known_hosts=ssh.known_hosts
    )
    url = ssh.url(origin.path)

    assert (await port.sync(Remote(url, good), MAIN, timeout_seconds=PATIENCE)).id == origin.tip()
    problem = await refused(port, url, replace(good, identity_password=Secret("close-sesame")))

    assert problem.code is Code.GIT_AUTHENTICATION
    assert "cannot be opened with this passphrase" in problem.message
    assert "identity_password" in problem.hint


async def test_white_space_around_a_key_does_no_harm(
    port: GitPort, ssh: SshServer, origin: Origin, tmp_path: Path
) -> None:
    """A heredoc or an editor has put a blank line before the key and taken the line's end."""
    good = key_of(tmp_path, ssh)
    data = {"identity": b"\n  " + good.identity.reveal().strip(), "known_hosts": ssh.known_hosts.encode()}
    secret = {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}

    credentials = parse_credentials(secret, name="git", url=ssh.url(origin.path))

    assert isinstance(credentials, Credentials)
    found = await port.sync(Remote(ssh.url(origin.path), credentials), MAIN, timeout_seconds=PATIENCE)
    assert found.id == origin.tip()


async def test_the_key_that_a_server_shows_can_be_asked_for(
    port: GitPort, ssh: SshServer, origin: Origin
) -> None:
    """For a user to compare: nothing of the user is sent, and the key is not trusted by that."""
    shown = await port.host_key(ssh.url(origin.path), timeout_seconds=PATIENCE)

    assert shown is not None
    assert shown.fingerprint == fingerprint(ssh.host_key)
    with pytest.raises(SyncError):
        await port.host_key("ssh://git@127.0.0.1:1/web", timeout_seconds=PATIENCE)
