"""The rules name fields that exist; that they accept and refuse the right specs is in tests/deploy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from nopea.core.api.rules import IGNORE_RULES, REF_RULES, SPEC_RULES
from nopea.core.api.spec import GitReference, GitRepositorySpec, IgnoreRule

RULES = [
    *((GitRepositorySpec, rule) for rule in SPEC_RULES),
    *((GitReference, rule) for rule in REF_RULES),
    *((IgnoreRule, rule) for rule in IGNORE_RULES),
]


@pytest.mark.parametrize(("model", "rule"), RULES, ids=lambda value: str(value)[:60])
def test_a_rule_names_fields_of_its_model(model: type[msgspec.Struct], rule: Mapping[str, Any]) -> None:
    """A renamed field would otherwise be found only by an API server that refuses the CRD."""
    names = {field.encode_name for field in msgspec.structs.fields(model)}
    used = set(re.findall(r"self\.(\w+)", rule["rule"]))

    assert used
    assert used <= names
    assert str(rule.get("fieldPath", f".{min(used)}")).removeprefix(".") in used
