"""From the error of a Git child to the problem that users read."""

from __future__ import annotations

import pytest

from nopea.core.git.source import DEFAULT_BRANCH, Credentials, Ref, RefKind, Remote
from nopea.core.problem import Code, Problem, Remedy, StalledError, TransientError
from nopea.core.secret import Secret
from nopea.git import problems
from nopea.git.protocol import ErrorKind

URL = "https://git.acme.example/shop.git"
MAIN = Ref(RefKind.BRANCH, "main")
WITHOUT_ENTRY = {ErrorKind.REF_MISSING, ErrorKind.PATH_MISSING, ErrorKind.AUTHENTICATION}


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in WITHOUT_ENTRY])
def test_every_kind_has_a_code_and_sentences(kind: ErrorKind) -> None:
    """The message contains the URL and the detail; the hint is a sentence."""
    error = problems.error_of(kind, "some detail", {}, remote=Remote(URL), ref=MAIN)

    (problem,) = error.problems
    assert problem.message.startswith(f"{URL}: ")
    assert problem.message.endswith(": some detail.")
    assert problem.hint[0].isupper()
    assert problem.hint.endswith(".")
    assert isinstance(error, TransientError) is problem.code.transient or kind in (
        ErrorKind.REDIRECT,
        ErrorKind.UNSUPPORTED,
        ErrorKind.REFUSED,
    )


def test_no_credential_is_in_a_message() -> None:
    """Neither the password in the URL nor a token that the server repeats is shown."""
    remote = Remote("https://ada:s3cret@git.acme.example/shop.git", Credentials(token=Secret(b"t0ken")))

    error = problems.error_of(ErrorKind.PROTOCOL, "you sent t0ken", {}, remote=remote, ref=MAIN)

    assert "s3cret" not in str(error)
    assert "t0ken" not in str(error)


CACHE = "/var/cache/nopea"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "cannot create '{new}/objects/pack/pack_git2_{random}'",
            "cannot create 'the mirror/objects/pack/pack'",
        ),
        ("[Errno 28] No space left on device: '{new}'", "[Errno 28] No space left on device: 'the mirror'"),
        ("cannot open {cache}/{hash}.git/x/tmp_object_git2_{random}", "cannot open the mirror/x/tmp_object"),
        (
            "error loading known_hosts '{cache}/.children/{pid}-git-0/.ssh/known_hosts'",
            "error loading known_hosts 'the process's home/.ssh/known_hosts'",
        ),
        ("cannot lock ref 'refs/heads/rel'", "cannot lock ref 'refs/heads/rel'"),
    ],
)
def test_a_cause_has_one_text(text: str, shown: str) -> None:
    """Names that differ at each attempt would make each one an Event of its own."""
    found = set()
    for pid, random in (("17", "a1B2c3"), ("4242", "Zz9Yy8")):
        mirror = "c5" * 32
        new = f"{CACHE}/{mirror}.git.new-{pid}-{random.encode().hex()}"
        detail = text.format(cache=CACHE, hash=mirror, new=new, pid=pid, random=random)
        error = problems.error_of(ErrorKind.DISK, detail, {}, remote=Remote(URL), ref=MAIN)
        found.add(error.problems)

    ((problem,),) = found
    assert problem.message == f"{URL}: Nopea cannot write to the cache folder: {shown}."


def test_a_missing_ref_names_similar_ones() -> None:
    """The hint lists similar refs, because it may be a typing error."""
    error = problems.error_of(
        ErrorKind.REF_MISSING, "no such ref", {"similar": ["main", "maint"]}, remote=Remote(URL), ref=MAIN
    )

    assert isinstance(error, StalledError)
    (problem,) = error.problems
    assert problem.message == f"{URL} has no branch main: no such ref."
    assert problem.hint == "Correct spec.ref.branch. The repository has, for example: main, maint."


@pytest.mark.parametrize(
    ("similar", "hint"),
    [
        (["main"], " The repository has, for example: main."),
        ([], ""),
    ],
)
def test_a_missing_default_branch_is_a_matter_of_the_server(similar: list[str], hint: str) -> None:
    """The spec names no ref that could be corrected."""
    error = problems.error_of(
        ErrorKind.REF_MISSING,
        "HEAD points to no branch",
        {"similar": similar},
        remote=Remote(URL),
        ref=DEFAULT_BRANCH,
    )

    (problem,) = error.problems
    assert problem.message == f"{URL} has no default branch: HEAD points to no branch."
    assert problem.hint == "Set spec.ref.branch, or correct the default branch on the server." + hint


def test_a_missing_folder_names_those_beside_it() -> None:
    """The hint lists the folders in the last part of the path that exists."""
    facts = {"at": "deploy", "folders": ["web", "db"]}

    error = problems.error_of(
        ErrorKind.PATH_MISSING, "there is no folder deploy/shop", facts, remote=Remote(URL), ref=None
    )

    (problem,) = error.problems
    assert problem.message == f"{URL}: there is no folder deploy/shop at this commit."
    assert problem.hint == "Correct spec.path. Folders in deploy/: web, db."


@pytest.mark.parametrize(
    ("credentials", "hint"),
    [(Credentials(), "Set spec.secretRef"), (Credentials(token=Secret(b"x")), "Check the Secret")],
)
def test_a_refusal_says_whether_credentials_are_missing_or_wrong(credentials: Credentials, hint: str) -> None:
    """The server's response is the same for both, but the hint differs."""
    error = problems.error_of(ErrorKind.AUTHENTICATION, "401", {}, remote=Remote(URL, credentials), ref=MAIN)

    assert error.problems[0].code is Code.GIT_AUTHENTICATION
    assert error.problems[0].hint.startswith(hint)


def test_what_is_refused_without_contacting_the_server() -> None:
    """A file URL, and SSH without a key or known_hosts, is refused."""
    remote = Remote("git@git.acme.example:shop.git")

    refusals = [
        problems.file_url_refused(Remote("file:///srv/shop.git")),
        problems.identity_missing(remote),
        problems.known_hosts_missing(remote),
    ]

    assert [refusal.problems[0].code for refusal in refusals] == [
        Code.SPEC_INVALID,
        Code.GIT_AUTHENTICATION,
        Code.GIT_HOST_KEY,
    ]


def test_a_file_that_crashes_a_child_is_a_problem() -> None:
    """The file has a problem and no documents; other files are not affected."""
    parsed = problems.deadly_file("the child process died")

    assert parsed.documents == ()
    assert parsed.problems[0].message == "The file cannot be parsed: the child process died."


REMEDIES = {
    ErrorKind.AUTHENTICATION: Remedy.SETTING,
    ErrorKind.HOST_KEY: Remedy.SETTING,
    ErrorKind.CERTIFICATE: Remedy.SETTING,
    ErrorKind.REPOSITORY_MISSING: Remedy.SETTING,
    ErrorKind.ADDRESS: Remedy.SETTING,
    ErrorKind.REDIRECT: Remedy.SETTING,
    ErrorKind.UNSUPPORTED: Remedy.SETTING,
    ErrorKind.REFUSED: Remedy.SETTING,
    ErrorKind.REF_MISSING: Remedy.COMMIT,
    ErrorKind.PATH_MISSING: Remedy.COMMIT,
    ErrorKind.EMPTY: Remedy.COMMIT,
    ErrorKind.TOO_BIG: Remedy.COMMIT,
    ErrorKind.MEMORY: Remedy.COMMIT,
    ErrorKind.UNREACHABLE: Remedy.TIME,
    ErrorKind.RATE_LIMITED: Remedy.TIME,  # the wait has a rule of its own
    ErrorKind.TIMEOUT: Remedy.TIME,
    ErrorKind.PROTOCOL: Remedy.TIME,  # a page that says that the server is down for maintenance
    ErrorKind.DISK: Remedy.TIME,
    ErrorKind.NO_ROOM: Remedy.TIME,
    ErrorKind.MIRROR: Remedy.TIME,
    ErrorKind.BUG: Remedy.TIME,
    ErrorKind.DIED: Remedy.TIME,
}


@pytest.mark.parametrize("kind", ErrorKind, ids=str)
def test_each_kind_says_what_mends_it(kind: ErrorKind) -> None:
    """No kind that a user must act on is retried every few seconds, and all others are."""
    error = problems.error_of(kind, "no", {}, remote=Remote(URL), ref=MAIN)

    assert error.problems[0].remedy is REMEDIES[kind]
    assert isinstance(error, StalledError) is (REMEDIES[kind] is not Remedy.TIME)


def test_what_is_refused_before_git_is_asked_is_mended_by_settings() -> None:
    """So are a missing Secret, one that does not fit, and a spec that cannot be used."""
    remote = Remote("ssh://git@git.acme.example/shop.git")
    before = (problems.file_url_refused, problems.known_hosts_missing, problems.identity_missing)
    codes = (Code.GIT_SECRET_MISSING, Code.GIT_SECRET_INVALID, Code.NOT_ALLOWED, Code.ACCOUNT_MISSING)

    found = [make(remote).problems[0] for make in before]
    found += [Problem(code=code, message="No.", hint="Change it.") for code in codes]

    assert {problem.remedy for problem in found} == {Remedy.SETTING}
