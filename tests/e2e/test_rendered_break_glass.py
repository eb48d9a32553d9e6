"""Break-glass of rendered objects: the tests of plain manifests, as overlays and as charts."""

from __future__ import annotations

from tests.e2e import test_break_glass
from tests.e2e.forms import cases_of, form

__all__ = ["form"]

globals().update(cases_of(test_break_glass))
