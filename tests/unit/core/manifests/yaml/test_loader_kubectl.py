"""Comparison with kubectl for whole files, from the reference cases beside the project."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from nopea.core.manifests.file import parse_file
from nopea.core.manifests.normalize import normalize
from nopea.core.problem import Code

REFERENCE = Path(__file__).parents[6] / "shared" / "reference" / "kubernetes-yaml.json"

# Files that Nopea rejects and kubectl accepts, with the code. docs/manifests.md gives the reasons.
STRICTER = {
    "key: 1 and '1' both": Code.YAML_DUPLICATE_KEY,
    "key: true and 'true' both": Code.YAML_DUPLICATE_KEY,
    "dup: same key in mapping": Code.YAML_DUPLICATE_KEY,
    "dup: same key, flow": Code.YAML_DUPLICATE_KEY,
    "dup: quoted and plain": Code.YAML_DUPLICATE_KEY,
    "dup: two << keys": Code.YAML_DUPLICATE_KEY,
    'v: !!binary "//79"': Code.YAML_VALUE,  # not UTF-8: kubectl applies replacement characters instead
    "bytes: invalid UTF-8": Code.ENCODING,
    "docs: empty file": Code.NO_OBJECT_IN_FILE,
    "docs: whitespace only": Code.NO_OBJECT_IN_FILE,
}
# Files that Nopea reads differently, with the `spec` that it reads.
DIFFERENT: dict[str, Any] = {
    # In YAML a mapping's own keys win over merged ones; in kubectl a later << overrides them.
    "dup: own key then merge": {"b": {"x": 1, "true": 2}, "c": {"x": 9, "true": 2}},
    # An escape of YAML 1.2 that kubectl's parser does not know.
    'v: "a\\/b"': {"v": "a/b"},
}

# Files that kubectl rejects as a whole; Nopea reads this number of documents without an error.
READ_BESIDE = {
    "anchor: across documents": 1,
    "docs: '---foo'": 2,
    "docs: '----'": 2,
    "docs: '--- {flow}' content on the marker line": 1,
}


def same(ours: Any, theirs: Any) -> bool:
    """Compare JSON values and types; above 2^62 only values, as kubectl prints 16 digits of floats."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, int) and abs(ours) > 2**62:
        return ours == float(theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)


def reference_cases() -> list[Any]:
    """Return the reference cases; without them, one case that is skipped."""
    if not REFERENCE.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"{REFERENCE.name} is not there"))]
    cases = json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["name"][:60]) for case in cases]


@pytest.mark.parametrize("case", reference_cases())
def test_a_file_is_read_as_kubectl_reads_it(case: dict[str, Any]) -> None:
    """A file gives the same objects or errors as in kubectl, except for the deviations above."""
    raw = case["text"].encode() if "text" in case else base64.b64decode(case["base64"])
    parsed = parse_file(raw)
    objects = [orjson.loads(document.body) for document in parsed.documents]
    if case["name"] in STRICTER:
        assert [problem.code for problem in parsed.problems] == [STRICTER[case["name"]]]
    elif case["name"] in DIFFERENT:
        assert [found["spec"] for found in objects] == [DIFFERENT[case["name"]]]
    elif case.get("error"):
        assert parsed.problems
        assert len(objects) == READ_BESIDE.get(case["name"], 0)
    else:
        assert parsed.problems == ()
        assert same(objects, [normalize(wanted) for wanted in case["objects"]])


def test_every_deviation_is_a_case() -> None:
    """Every deviation above is in the reference cases."""
    if not REFERENCE.exists():
        pytest.skip(f"{REFERENCE.name} is not there")
    known = {case["name"] for case in json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]}
    assert known >= STRICTER.keys() | DIFFERENT.keys() | READ_BESIDE.keys()
