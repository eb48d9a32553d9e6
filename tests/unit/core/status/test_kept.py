"""What users read about objects that stay although they were removed from Git."""

from __future__ import annotations

import msgspec
from tests.fakes.samples import NOW, report

from nopea.core.api.status import MAX_KEPT, GitRepositoryStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.prune import PruneReason
from nopea.core.status.kept import kept_of, left_behind, newly_kept
from nopea.core.status.report import ObjectResult, Outcome
from nopea.core.status.status import reported

CLAIM = ObjectKey("", "PersistentVolumeClaim", "shop", "data")
SPACE = ObjectKey("", "Namespace", "", "shop")


def kept(key: ObjectKey, why: PruneReason) -> ObjectResult:
    """Return the result of an object that stays."""
    return ObjectResult(key=key, outcome=Outcome.SKIPPED, declared=False, kept=why)


def test_protected_objects_are_listed_with_the_way_out() -> None:
    """What stays because its user asked for it, or belongs to another repository, is not listed."""
    found = kept_of(
        report(
            objects=[
                kept(CLAIM, PruneReason.PROTECTED_KIND),
                kept(ObjectKey("", "ConfigMap", "shop", "a"), PruneReason.ANNOTATED),
                kept(ObjectKey("", "ConfigMap", "shop", "b"), PruneReason.HANDED_OVER),
                kept(SPACE, PruneReason.PROTECTED_KIND),
            ]
        )
    )

    assert [str(entry.object) for entry in found] == ["Namespace shop", "PersistentVolumeClaim shop/data"]
    assert found[0].message == found[1].message
    assert found[0].message == (
        "Removed from Git but not deleted: objects of this kind are deleted only on request. "
        'To delete it, annotate it with nopea.io/prune: "true". '
        'To keep it and end this message, annotate it with nopea.io/prune: "false".'
    )


def test_the_list_is_bounded_and_no_message_is_cut() -> None:
    """The status holds at most 20 entries."""
    many = [ObjectKey("", "Namespace", "", f"n{number:03}") for number in range(2 * MAX_KEPT)]
    entries = kept_of(report(objects=[kept(key, PruneReason.PROTECTED_KIND) for key in many]))
    (unknown,) = kept_of(report(objects=[kept(CLAIM, PruneReason.UNKNOWN_KIND)]))

    assert len(entries) == MAX_KEPT
    assert entries[0].message.endswith('nopea.io/prune: "false".')
    assert unknown.message.endswith("serves its kind again.")


def test_each_object_is_reported_once() -> None:
    """A later sync that keeps the same objects says nothing; a new object is news."""
    first = report(objects=[kept(CLAIM, PruneReason.PROTECTED_KIND)])
    both = report(objects=[*first.objects, kept(SPACE, PruneReason.PROTECTED_KIND)])
    one = reported(GitRepositoryStatus(), first, now=NOW, retry_at=None)
    two = reported(one, both, now=NOW, retry_at=None)

    assert [keys for _, keys in newly_kept(GitRepositoryStatus(), one)] == [[CLAIM]]
    assert newly_kept(one, reported(one, first, now=NOW, retry_at=None)) == []
    assert [keys for _, keys in newly_kept(one, two)] == [[SPACE]]
    assert reported(two, report(), now=NOW, retry_at=None).kept == ()
    assert reported(two, report(commit=None), now=NOW, retry_at=None).kept == two.kept
    assert msgspec.convert(msgspec.to_builtins(two), GitRepositoryStatus) == two


def test_what_a_deleted_repository_leaves_is_grouped_by_the_reason() -> None:
    """Objects of another repository are not left: they have an owner."""
    objects = [
        kept(SPACE, PruneReason.PROTECTED_KIND),
        kept(CLAIM, PruneReason.PROTECTED_KIND),
        kept(ObjectKey("", "ConfigMap", "shop", "a"), PruneReason.ANNOTATED),
        kept(ObjectKey("", "ConfigMap", "shop", "b"), PruneReason.OWNED_BY_OTHER),
    ]

    assert left_behind(report(objects=objects)) == [
        (PruneReason.ANNOTATED, [ObjectKey("", "ConfigMap", "shop", "a")]),
        (PruneReason.PROTECTED_KIND, [SPACE, CLAIM]),
    ]
