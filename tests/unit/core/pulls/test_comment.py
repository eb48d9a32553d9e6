"""What a comment on a pull request says, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.cli.output.inspections import manifest, planned

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.drift.three_way import Side
from nopea.core.git.merge import Merge
from nopea.core.objects import RepoKey
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action, ObservedObject, Reason
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Code, Problem
from nopea.core.pulls.comment import PlanComment, comment_of, why_not_planned, without_plan
from nopea.core.secret import Secret

KEY = RepoKey("shop", "web")
MERGE = Merge(branch="more", base="main", head="9f" * 20, onto="1e" * 20, commit="2d" * 20)
LIVE = "the live value"
FIELD = FieldDiff(path=".data.a", last=None, git="new", live=LIVE, side=Side.GIT)
REJECTED = Problem(code=Code.INVALID, message=f"Invalid value: {LIVE}.", hint="Correct it.", object="x")


def _comment(*objects: ObjectDiff, problems: tuple[Problem, ...] = ()) -> PlanComment:
    inspection = Inspection(objects=objects, problems=problems)
    return comment_of(KEY, inspection, merge=MERGE, branch="more")


def _of(owner: str | None, diff: ObjectDiff) -> ObjectDiff:
    live = ObservedObject(owner=owner, resource_version="1")
    return replace(diff, step=replace(diff.step, live=live))


def test_the_comment_is_found_again_by_its_marker() -> None:
    """It names what was planned, and from where."""
    comment = _comment(planned(Action.CREATE, after=manifest(a="1"), source="web.yaml#1"))
    elsewhere = comment_of(KEY, without_plan([]), merge=None, branch="more", cluster="north --> <b>")

    assert comment.marker == "<!-- nopea-plan shop/web -->\n"
    assert comment.text.startswith(f"{comment.marker}### Nopea plan: 1 to create\n")
    assert (
        "<code>GitRepository shop/web: more at 9f9f9f9f9f9f merged into main at 1e1e1e1e1e1e</code>"
        in comment.text
    )
    assert elsewhere.marker == "<!-- nopea-plan north%20--%3E%20%3Cb%3E/shop/web -->\n"
    assert "GitRepository shop/web in north --&gt; &lt;b&gt;: more</code>" in elsewhere.text


def test_the_comment_says_what_keeps_a_merge_from_being_applied() -> None:
    """As text: a note may have names from the cluster."""
    comment = comment_of(KEY, without_plan([]), merge=None, branch="more", notes=("It is <held>.",))

    assert "<p>It is &lt;held&gt;.</p>" in comment.text


def test_a_first_comment_needs_news() -> None:
    """In a monorepo most pull requests change nothing for most repositories."""
    unchanged = planned(Action.LEAVE, reason=Reason.UNCHANGED)

    assert not _comment(unchanged).is_news
    assert _comment(unchanged, planned(Action.PRUNE)).is_news
    assert _comment(planned(Action.REFUSE, problem=REJECTED), problems=(REJECTED,)).is_news
    assert comment_of(KEY, without_plan([REJECTED]), merge=None, branch="more").is_news


@pytest.mark.parametrize("owner", [None, "shop.other", "other.web"])
def test_an_object_of_somebody_else_is_not_shown(owner: str | None) -> None:
    """Only that it would be taken over; neither live values nor what the API server quotes of them."""
    changed = planned(
        Action.APPLY, before=manifest(a=LIVE), after=manifest(a="new"), reason=Reason.ADOPTED,
        fields=(FIELD,), unchecked=f"could not say: {LIVE}",
    )  # fmt: skip
    refused = planned(Action.REFUSE, "bad", problem=REJECTED, fields=(FIELD,))

    mine = _comment(_of("shop.web", changed), _of("shop.web", refused), problems=(REJECTED,)).text
    theirs = _comment(_of(owner, changed), _of(owner, refused), problems=(REJECTED,)).text

    assert mine.count(LIVE) > 2
    assert LIVE not in theirs
    assert "ConfigMap shop/web</code> adopted" in theirs
    assert "NOPEA-K003: The API server refuses it." in theirs
    assert theirs.startswith("<!-- nopea-plan shop/web -->\n### Nopea plan: 1 to change, 1 refused\n")


def test_credentials_in_a_message_of_a_server_are_masked() -> None:
    """An object's problem is still said once."""
    problem = replace(REJECTED, message="https://u:pw@git.acme.example/?x=1 says tok-123456.")
    refused = planned(Action.REFUSE, "bad", problem=problem)
    inspection = Inspection(objects=(refused,), problems=(problem, replace(problem, object="y")))

    text = comment_of(
        KEY, inspection, merge=None, branch="more", secrets=[Secret("tok-123456")]
    ).text  # fmt: skip

    assert "tok-123456" not in text
    assert "pw@" not in text
    assert text.count("https://***@git.acme.example/?*** says ***.") == 2
    assert "1 refused, 1 other problem" in text


def _spec(**fields: Any) -> GitRepositorySpec:
    spec = parse_spec({"url": "https://git.acme.example/shop.git", **fields})
    assert isinstance(spec, GitRepositorySpec), spec
    return spec


SECRET = {"kind": "Secret", "name": "vars"}


@pytest.mark.parametrize(
    "fields",
    [
        {"substituteFrom": [SECRET]},
        {"helm": {"valuesFrom": [SECRET]}},
        {"helm": {"chart": "oci://r.acme.example/shop", "version": "1", "secretRef": {"name": "vars"}}},
        {"decryption": {"provider": "sops", "secretRef": {"name": "vars"}}},
    ],
)
def test_what_is_rendered_with_a_secret_is_not_planned(fields: dict[str, Any]) -> None:
    """A pull request could put it into a ConfigMap, and so into the comment."""
    problem = why_not_planned(KEY, _spec(**fields))

    assert problem is not None
    assert "it is rendered with Secret vars" in problem.message
    assert problem.hint == "Run `nopea plan web -n shop --ref BRANCH`."


def test_what_nopea_itself_decrypts_is_not_planned() -> None:
    """No Secret is named then: the key is opened with Nopea's own identity."""
    problem = why_not_planned(KEY, _spec(decryption={"provider": "sops"}))

    assert problem is not None
    assert "it is rendered with what is decrypted" in problem.message


def test_what_is_rendered_without_secrets_is_planned() -> None:
    """The Secret with the token is not rendered with."""
    maps = {"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}], "substitute": {"a": "b"}}

    assert why_not_planned(KEY, _spec(**maps, secretRef={"name": "git"})) is None
