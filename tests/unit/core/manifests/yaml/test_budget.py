"""Limits on the number of values in a file and on what its aliases repeat."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.budget import Anchored, Budget, YamlLimits
from nopea.core.manifests.yaml.problems import UnreadableError


def test_a_hundred_repeated_nodes_are_allowed() -> None:
    """In small documents the ratio of repetitions is not limited."""
    budget = Budget(YamlLimits())
    budget.repeat(Anchored(nodes=100), line=1)
    assert budget.nodes == 100


def test_a_document_of_repetitions_is_refused() -> None:
    """Up to 400,000 nodes, the ratio of repetitions may be 0.99, as in the YAML decoder of Kubernetes."""
    budget = Budget(YamlLimits())
    with pytest.raises(UnreadableError, match="repeat too much"):
        budget.repeat(Anchored(nodes=2_000), line=7)


def test_big_documents_may_repeat_less() -> None:
    """Halfway between the decoder's bounds, a ratio of 60 % is too much."""
    budget = Budget(YamlLimits(nodes=10_000_000))
    budget.nodes = 880_000
    with pytest.raises(UnreadableError, match="repeat too much"):
        budget.repeat(Anchored(nodes=1_320_000), line=1)


def test_the_ratio_is_per_document_and_the_limit_per_file() -> None:
    """A new document starts with a new ratio, but the number of nodes in the file is limited."""
    budget = Budget(YamlLimits(nodes=5_000))
    for _ in range(2):
        budget.start_document()
        budget.nodes += 1_500
        budget.repeat(Anchored(nodes=900), line=1)
    budget.start_document()
    budget.nodes += 100
    with pytest.raises(UnreadableError, match="too big"):
        budget.repeat(Anchored(nodes=900), line=1)


def test_repeated_characters_are_limited() -> None:
    """Repeating one long string uses few nodes, so the characters are limited as well."""
    budget = Budget(YamlLimits(file_bytes=1_000))
    budget.repeat(Anchored(characters=600), line=1)
    with pytest.raises(UnreadableError, match="too big"):
        budget.repeat(Anchored(characters=600), line=1)


def test_the_nodes_of_a_file_are_limited() -> None:
    """The limit itself is allowed; one value more is not."""
    budget = Budget(YamlLimits(nodes=10))
    budget.nodes = 10
    budget.check(line=3)
    budget.nodes = 11
    with pytest.raises(UnreadableError, match="more than 10 values"):
        budget.check(line=3)
