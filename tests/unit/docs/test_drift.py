"""What docs/drift.md and docs/spec.md say about drift, Events and pruning matches the code."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.apply.ignore_rules import PEOPLE
from nopea.core.objects import PROTECTED_KINDS
from nopea.core.plan import contention, prune
from nopea.core.secret import MASK
from nopea.core.status import events as eventview
from nopea.notify import tenants
from nopea.pulls import service as pulls
from nopea.reconcile import publish

DOCS = Path(__file__).parents[3] / "docs"
DRIFT = (DOCS / "drift.md").read_text(encoding="utf-8")
SPEC = (DOCS / "spec.md").read_text(encoding="utf-8")
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}


def chapter(text: str, heading: str) -> str:
    """Return the text below a heading, up to the next heading of any level."""
    return re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]


def test_user_tools_are_documented() -> None:
    """The list contains exactly the patterns of users' tools, in the order of the code."""
    listed = next(line for line in DRIFT.splitlines() if line.startswith("`kubectl*`, "))

    assert tuple(re.findall(r"`([^`]+)`", listed)) == PEOPLE.patterns


def test_limits_of_contention_are_documented() -> None:
    """The page says how many heals are contention and how long healing waits."""
    text = " ".join(chapter(DRIFT, "Fights").split())

    assert f"{contention.CONTENDED_AFTER} times in a row" in text
    assert timedelta(minutes=10) == contention.SOON
    assert "within 10 minutes of" in text
    assert timedelta(seconds=10) == contention.FIRST_BACKOFF
    assert timedelta(hours=1) == contention.LONGEST_BACKOFF
    assert "waits 10 s, then twice as long each time, up to 1 h" in text


def test_the_mask_of_secrets_is_documented() -> None:
    """The example of a masked value has the right form."""
    assert f"masked everywhere: `{MASK}`" in DRIFT


def test_events_are_documented() -> None:
    """The table contains exactly the reasons of Events, with their types."""
    source = "".join(
        Path(room.__file__ or "").read_text(encoding="utf-8") for room in (publish, eventview, tenants, pulls)
    )
    sent = set(re.findall(r'type="(\w+)",\s+reason="(\w+)"', source))
    documented = {
        (row[1], row[0])
        for row in re.findall(r"^\| `(\w+)` \| (\w+) \|", chapter(SPEC, "Events"), re.MULTILINE)
    }

    assert len(sent) == len(re.findall(r'reason="', source)), "a reason in another order of arguments"
    assert documented == sent
    first = re.search(r"the first (\w+) codes", chapter(SPEC, "Events"))
    assert first is not None
    assert NUMBERS[first[1]] == eventview.MOST_OF_A_KIND
    assert f"the first {first[1]} objects of a sync" in " ".join(DRIFT.split())


def test_limits_and_kinds_of_pruning_are_documented() -> None:
    """The page contains both limits of the guard and the protected kinds."""
    text = " ".join(chapter(SPEC, "Pruning").split())

    assert f"never allows more than {prune.MOST_AT_ONCE} objects" in text
    assert "by default a quarter (`25%`)" in text
    limit = GitRepositorySpec(url="https://git.acme.example/shop.git").prune_limit
    assert [prune.allowed_at_once(size, limit) for size in (2, 4, 7, 500)] == [0, 1, 1, 100]
    assert all(kind.kind in text for kind in PROTECTED_KINDS)


def test_the_number_of_safeguards_is_documented() -> None:
    """The README mentions the number of safeguards in the list."""
    count = len(re.findall(r"^\d+\. ", chapter(SPEC, "Pruning"), re.MULTILINE))
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")

    assert count == 8
    assert "[Eight safeguards](docs/spec.md#pruning)" in readme
