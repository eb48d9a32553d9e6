"""The limits, codes and order of kinds in docs/manifests.md and docs/git.md match the code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import LEAST
from nopea.core.duration import parse_duration
from nopea.core.manifests import ignore, stages
from nopea.core.manifests import limits as manifest_limits
from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS
from nopea.core.objects import GroupKind
from nopea.core.problem import Code
from nopea.git import child, confine, placing, remote, tree
from nopea.git.settings import GitSettings
from nopea.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "s": 1, "m": 60}
GIT = GitSettings(cache_dir=Path("unused"))


def table(page: str, chapter: str) -> list[list[str]]:
    """Return the cells of the first table in a chapter, without its head."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = text.partition(f"# {chapter}\n")[2].partition("\n|")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def number(text: str) -> int:
    """Return the number in `10 MiB`, `1,000,000`, `` (`5m`) `` or `10 s`."""
    found = re.search(r"([\d,]+) ?([A-Za-z]*)", text)
    assert found is not None, text
    return int(found[1].replace(",", "")) * UNITS.get(found[2].removesuffix("characters"), 1)


def test_limits_of_manifests() -> None:
    """The table contains every limit of files and patterns, in order."""
    limits = DEFAULT_LIMITS
    documented = [number(row[1]) for row in table("manifests.md", "Limits")]

    assert documented == [
        limits.file_bytes, limits.object_bytes, limits.documents, limits.nodes, limits.depth, limits.problems,
        ignore.MAX_FILE_BYTES, ignore.MAX_PATTERNS, ignore.MAX_PATTERN_CHARACTERS,
        manifest_limits.MAX_FILES, manifest_limits.MAX_IGNORE_FILES, manifest_limits.MAX_IGNORE_BYTES,
        manifest_limits.MAX_MATCHES, manifest_limits.MAX_BYTES, LEAST.max_objects,
    ]  # fmt: skip


def test_limits_of_exclude() -> None:
    """The page contains the limits of the schema."""
    schema = msgspec.json.schema_components([GitRepositorySpec])[1]["GitRepositorySpec"]
    exclude = schema["properties"]["exclude"]
    text = (DOCS / "manifests.md").read_text(encoding="utf-8")

    assert f"takes {exclude['maxItems']} patterns of {exclude['items']['maxLength']} characters" in text


def test_shares_of_git() -> None:
    """The table contains the places that namespaces share."""
    documented = [int(each) for row in table("git.md", "Fairness") for each in re.findall(r"\d+", row[1])]
    network = GIT.threads_per_child - placing.LOCAL_PER_CHILD - placing.PARSING_PER_CHILD

    assert documented == [
        network, GIT.young_per_child, GIT.young_per_child, GIT.trust_children, GIT.quarantine_children,
        placing.LOCAL_PER_CHILD, placing.PARSING_PER_CHILD,
    ]  # fmt: skip


def test_limits_of_git() -> None:
    """The table contains every limit of Git operations, in order."""
    rows = table("git.md", "Limits and deadlines")
    documented = [number(row[1].replace("Mi`", " MiB").replace("Gi`", " GiB")) for row in rows]
    spec = GitRepositorySpec(url="https://git.acme.example/shop.git")

    assert documented == [
        parse_duration(spec.timeout).total_seconds(), GIT.connect_timeout_seconds, GIT.server_timeout_seconds,
        GIT.max_fetch_bytes, Settings().git_disk_bytes, remote._MAX_HEADS, Settings().git_memory_bytes,
        tree._MAX_ENTRIES, tree._MAX_DEPTH,
    ]  # fmt: skip


def test_limits_of_mirrors() -> None:
    """The page says when a mirror is cloned again, how much history it has, and what room there is."""
    text = (DOCS / "git.md").read_text(encoding="utf-8")
    assert f"{GIT.max_packs} packs" in text
    assert f"less than {GIT.free_bytes // 2**20} MiB are free" in text
    assert (GIT.disk_bytes // GIT.headroom_bytes, GIT.disk_bytes // GIT.mirror_bytes) == (16, 4)
    assert Settings().git_disk_bytes == GIT.disk_bytes
    assert f"more than {GIT.max_history_objects:,} objects" in text


def test_limits_of_the_sandbox() -> None:
    """The page says how big a file may be that a child writes, and how many it may have open."""
    text = (DOCS / "git.md").read_text(encoding="utf-8")
    biggest = (GIT.max_fetch_bytes + child._BESIDE_PACK_BYTES) // 2**20
    assert f"more than {biggest} MiB, or have more than {confine._MAX_FILES} files open" in text


def test_the_order_of_kinds() -> None:
    """Each kind in the table is applied in the stage of its row."""
    by_name: dict[str, list[GroupKind]] = {}
    for kind in stages._BY_KIND:
        by_name.setdefault(kind.kind, []).append(kind)
    named = [
        (int(row[0]), kind)
        for row in table("manifests.md", "Order")
        for name in re.findall(r"\w+", row[1])
        for kind in by_name.get(name, ())
    ]

    assert len(named) > 20
    assert [(stage, kind) for stage, kind in named if stages.stage_of(kind) != stage - 1] == []


@pytest.mark.parametrize("page", ["git.md", "manifests.md", "configuration.md"])
def test_codes_exist(page: str) -> None:
    """Every code in the text exists."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert set(re.findall(r"NOPEA-[A-Z]\d+", text)) <= {code.value for code in Code}
