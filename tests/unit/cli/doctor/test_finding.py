"""Making findings."""

from __future__ import annotations

from nopea.cli.doctor.finding import Verdict, good, problem, unknown, warning


def test_each_verdict_has_its_maker() -> None:
    """A problem has a fix; what is fine has none."""
    found = [good("a", "Fine."), warning("a", "Mind."), problem("a", "Bad.", "Mend."), unknown("a", "Dark.")]

    assert [each.verdict for each in found] == list(Verdict)
    assert [each.fix for each in found] == ["", "", "Mend.", ""]
