"""The policy of nopea-operator names the annotations of the code, and the role grants little."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from nopea.core.api import names

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "deploy" / "base" / "operator.yaml").read_text(encoding="utf-8")
OBJECTS: dict[str, dict[str, Any]] = {one["kind"]: one for one in yaml.safe_load_all(TEXT)}
ALLOWED = {
    names.SYNC_REQUESTED_ANNOTATION,
    names.HEAL_REQUESTED_ANNOTATION,
    names.ROLLBACK_ANNOTATION,
    names.CONFIRM_PRUNE_ANNOTATION,
}


def test_the_annotations_are_those_of_the_code() -> None:
    """The condition and its message list the same annotations; abandoning objects is not one of them."""
    (validation,) = (
        one
        for one in OBJECTS["ValidatingAdmissionPolicy"]["spec"]["validations"]
        if names.SYNC_REQUESTED_ANNOTATION in one["expression"]
    )

    for text in (validation["expression"], validation["messageExpression"]):
        assert set(re.findall(r"nopea\.io/[a-z-]+", text)) == ALLOWED
    assert names.ABANDON_ANNOTATION not in TEXT


def test_the_role_reads_and_patches() -> None:
    """The verb `operate` marks who is limited; without it in the role, `patch` would allow everything."""
    rules = OBJECTS["ClusterRole"]["rules"]

    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        ([names.PLURAL, names.INVENTORY_PLURAL], ["get", "list", "watch"]),
        ([names.PLURAL], ["patch", "operate"]),
    ]
    assert {group for rule in rules for group in rule["apiGroups"]} == {names.GROUP}


def test_the_policy_is_closed_and_bound() -> None:
    """A failure of the policy refuses the request, and the binding denies everywhere."""
    binding = OBJECTS["ValidatingAdmissionPolicyBinding"]["spec"]

    assert OBJECTS["ValidatingAdmissionPolicy"]["spec"]["failurePolicy"] == "Fail"
    assert binding == {"policyName": "nopea-operator", "validationActions": ["Deny"]}
