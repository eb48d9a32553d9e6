"""How much a file may hold, and how much its aliases may repeat."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.budget import Anchored, Budget, YamlLimits
from nopea.core.manifests.yaml.problems import UnreadableError


def test_a_hundred_repeated_nodes_are_free() -> None:
    """Small documents may repeat themselves as much as they like."""
    budget = Budget(YamlLimits())
    budget.repeat(Anchored(nodes=100), line=1)
    assert budget.nodes == 100


def test_a_document_that_is_nearly_all_repetition_is_refused() -> None:
    """The decoder's ratio of 0.99 holds up to 400,000 nodes."""
    budget = Budget(YamlLimits())
    with pytest.raises(UnreadableError, match="repeat too much"):
        budget.repeat(Anchored(nodes=2_000), line=7)


def test_big_documents_may_repeat_less() -> None:
    """Halfway between the decoder's bounds, 60 % of repetition is too much."""
    budget = Budget(YamlLimits(nodes=10_000_000))
    budget.nodes = 880_000
    with pytest.raises(UnreadableError, match="repeat too much"):
        budget.repeat(Anchored(nodes=1_320_000), line=1)


def test_each_document_has_a_ratio_and_the_file_has_the_caps() -> None:
    """A new document starts a new ratio, and yet many documents cannot add up beyond the file's nodes."""
    budget = Budget(YamlLimits(nodes=5_000))
    for _ in range(2):
        budget.start_document()
        budget.nodes += 1_500
        budget.repeat(Anchored(nodes=900), line=1)
    budget.start_document()
    budget.nodes += 100
    with pytest.raises(UnreadableError, match="too big"):
        budget.repeat(Anchored(nodes=900), line=1)


def test_one_long_text_cannot_be_repeated_for_ever() -> None:
    """The ratio counts nodes; the characters that aliases repeat have a cap of their own."""
    budget = Budget(YamlLimits(file_bytes=1_000))
    budget.repeat(Anchored(characters=600), line=1)
    with pytest.raises(UnreadableError, match="too big"):
        budget.repeat(Anchored(characters=600), line=1)


def test_the_nodes_of_a_file_are_capped() -> None:
    """The limit itself is allowed, one value more is not."""
    budget = Budget(YamlLimits(nodes=10))
    budget.nodes = 10
    budget.check(line=3)
    budget.nodes = 11
    with pytest.raises(UnreadableError, match="more than 10 values"):
        budget.check(line=3)
