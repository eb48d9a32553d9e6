"""Many troubles as few lines."""

from __future__ import annotations

from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.references import SECRETS, Trouble
from nopea.cli.doctor.troubles import MOST_LINES, first_of, repositories_named, trouble_findings
from nopea.core.git.credentials import missing_secret
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem


def missing(owner: str, name: str, *, namespace: str = "shop", verdict: Verdict = Verdict.PROBLEM) -> Trouble:
    """Return the trouble of a Git login that does not exist."""
    return Trouble(
        subject=SECRETS,
        owner=RepoKey(namespace, owner),
        field="spec.secretRef",
        object=ObjectKey("", "Secret", namespace, name),
        problem=missing_secret(name, namespace),
        verdict=verdict,
    )


def test_one_trouble_names_its_object() -> None:
    """Field, repository, code, what, and what to do."""
    (found,) = trouble_findings([missing("web", "login")])

    assert found.message == (
        "spec.secretRef of shop/web: NOPEA-G012 Secret login does not exist in namespace shop."
    )
    assert found.fix.startswith("Create it, or correct spec.secretRef.name.")
    assert found.verdict is Verdict.PROBLEM


def test_one_object_of_many_is_named_too() -> None:
    """All of them name the same Secret."""
    (found,) = trouble_findings(missing(f"r{each}", "login") for each in range(500))

    assert found.message == (
        "spec.secretRef of 500 GitRepositories (shop/r0, shop/r1, shop/r2 and 497 more): "
        "NOPEA-G012 Secret login does not exist in namespace shop."
    )


def test_many_objects_with_the_same_trouble_are_one_line() -> None:
    """In other namespaces, with other names."""
    (found,) = trouble_findings(missing("web", f"s{each}", namespace=f"n{each}") for each in range(500))

    assert found.message == (
        "spec.secretRef of 500 GitRepositories (n0/web, n1/web, n2/web and 497 more): "
        "NOPEA-G012 Its Secret does not exist."
    )


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    """However many causes there are."""
    many = [
        Trouble(
            subject=SECRETS,
            owner=RepoKey("shop", f"r{each}"),
            field="spec.notify",
            object=ObjectKey("", "Secret", "shop", "chat"),
            problem=Problem(code=Code.NOTIFY_RECEIVER, message=f"Host {each} is wrong.", hint="Mend it."),
            verdict=Verdict.WARNING,
        )
        for each in range(50)
    ]

    found = list(trouble_findings([*many, missing("web", "login")]))

    assert len(found) == MOST_LINES + 1
    assert found[0].verdict is Verdict.PROBLEM
    assert found[-1].message.startswith("41 other causes: something is wrong in 41 GitRepositories (shop/r9")


def test_names_are_counted_once() -> None:
    """A repository may name several objects."""
    key = RepoKey("shop", "web")

    assert repositories_named([key, key]) == "shop/web"
    assert first_of("abcde") == "a, b, c and 2 more"
    assert first_of("abc") == "a, b, c"
