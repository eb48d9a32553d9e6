"""An error of the lab says what happened, shows the evidence and says what to do."""

from __future__ import annotations

from pathlib import Path

from nopea_lab.errors import LabError, tail


def test_the_evidence_is_the_end_of_the_log(tmp_path: Path) -> None:
    """The last lines, cut to a readable width, whatever bytes are in them."""
    (tmp_path / "log").write_bytes(b"first\nsecond\n\xff" + b"x" * 1000 + b"\n")

    lines = tail(tmp_path / "log", lines=2).splitlines()

    assert lines[0] == "  | second"
    assert len(lines) == 2
    assert len(lines[1]) < 420
    assert tail(tmp_path / "none") == ""


def test_the_text_is_in_reading_order() -> None:
    """What, why, what next; without evidence, no empty line."""
    assert str(LabError("it broke", hint="Mend it.", detail="  | bang")) == "it broke\n  | bang\nMend it."
    assert str(LabError("it broke", hint="Mend it.")) == "it broke\nMend it."
