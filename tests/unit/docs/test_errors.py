"""docs/errors.md matches the codes."""

from __future__ import annotations

from pathlib import Path

from nopea.core.problem import Code

TEXT = (Path(__file__).parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in TEXT.split("\n## ")[1:])


def test_every_code_has_a_section_and_every_section_a_code() -> None:
    """The sections are the codes with their reasons, in order."""
    assert list(SECTIONS) == [f"{code.value} {code.reason}" for code in Code]


def test_every_section_helps() -> None:
    """Each section has the meaning, the likely causes and what to do."""
    for heading, body in SECTIONS.items():
        meaning, causes, advice = body.strip().split("\n\n", 2)
        assert len(meaning) > 20, heading
        assert causes.startswith("**Likely causes:** "), heading
        assert advice.startswith("**What to do:** "), heading


def test_transient_codes_are_marked() -> None:
    """Exactly the codes that Nopea retries are marked."""
    marked = {heading.split()[0] for heading, body in SECTIONS.items() if "*Resolves automatically" in body}

    assert marked == {code.value for code in Code if code.transient}
