"""A running renderer for each test of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.renderer.child import Renderer, program


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    """The built program, started; `make renderer` builds it."""
    if program() is None:
        pytest.skip("nopea-render is not built; run `make renderer`")
    with Renderer() as running:
        yield running
