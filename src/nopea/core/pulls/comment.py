"""What the comment on a pull request says, and what it may say.

Who reads it may not be allowed to read the cluster. So a rendering that gets Secrets is not made, and of
objects that are not the repository's own nothing is shown but what becomes of them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from nopea.core.api.labels import owner_label
from nopea.core.api.references import ReferenceKind
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.merge import Merge
from nopea.core.manifests.inputs import references_of
from nopea.core.objects import RepoKey
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Reason
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret, mask_text
from nopea.core.show.markdown import markdown

_HIDDEN: Final = (
    "The API server refuses it. What it says may hold values of the live object, which is not shown."
)
"""The message about an object of somebody else: API servers quote values in theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanComment:
    """The text of a comment, which begins with `marker`: by that it is found again.

    `is_news` says that it is worth a new comment; one that is there is updated anyway.
    """

    marker: str
    text: str
    is_news: bool


def comment_of(
    repository: RepoKey,
    inspection: Inspection,
    *,
    merge: Merge | None,
    branch: str,
    cluster: str = "",
    secrets: Sequence[Secret] = (),
    notes: Sequence[str] = (),
) -> PlanComment:
    """Return the comment with the plan of a branch; without a merge, nothing could be fetched.

    `secrets` are the repository's credentials, `notes` what keeps a sync from doing what the plan shows.
    """
    public = _public(inspection, owner_label(repository), secrets)
    place = f" in {cluster}" if cluster else ""
    title = f"GitRepository {repository}{place}: {merge or branch}"
    marker = f"<!-- nopea-plan {quote('/'.join(filter(None, (cluster, str(repository)))))} -->\n"
    return PlanComment(
        marker=marker,
        text=marker + markdown(public, title=title, notes=notes),
        is_news=inspection.would_change or inspection.is_refused,
    )


def without_plan(problems: Iterable[Problem]) -> Inspection:
    """Return what is said where nothing could be planned."""
    return Inspection(objects=(), problems=tuple(problems))


def why_not_planned(repository: RepoKey, spec: GitRepositorySpec) -> Problem | None:
    """Return why a pull request of a repository is not rendered: what it changes could print the Secrets."""
    secrets = sorted(each.name for each in references_of(spec) if each.kind is ReferenceKind.SECRET)
    if secrets:
        named = f"Secret{'s' if len(secrets) > 1 else ''} {', '.join(secrets)}"
    elif spec.decryption is not None:
        named = "what is decrypted"
    else:
        return None
    return Problem(
        code=Code.PULL_REQUEST_PLAN,
        message=f"Pull requests of this GitRepository are not planned, because it is rendered with {named}, "
        "and a pull request could print what is in there.",
        hint=f"Run `nopea plan {repository.arguments} --ref BRANCH`.",
    )


def _public(inspection: Inspection, owner: str, secrets: Sequence[Secret]) -> Inspection:
    """Return the plan without what is known of objects that do not carry the repository's label.

    Problems are masked: some quote a server.
    """
    objects: list[ObjectDiff] = []
    said: dict[Problem, Problem] = {
        problem: _masked(problem, secrets)
        for problem in (*inspection.problems, *(each.step.problem for each in inspection.objects))
        if problem is not None
    }
    for each in inspection.objects:
        step, live = each.step, each.step.live
        is_ours = live is None or live.owner == owner
        if step.problem is not None:
            if not is_ours and step.reason is Reason.REJECTED:
                said[step.problem] = replace(step.problem, message=_HIDDEN)
            step = replace(step, problem=said[step.problem])
        unchecked = "the API server could not say" if each.unchecked else ""
        objects.append(replace(each, step=step) if is_ours else ObjectDiff(step=step, unchecked=unchecked))
    return Inspection(objects=tuple(objects), problems=tuple(said[each] for each in inspection.problems))


def _masked(problem: Problem, secrets: Sequence[Secret]) -> Problem:
    message, hint = (mask_text(text, *secrets) for text in (problem.message, problem.hint))
    return replace(problem, message=message, hint=hint)
