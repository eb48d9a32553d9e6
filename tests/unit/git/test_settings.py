"""The default limits fit each other."""

from __future__ import annotations

from pathlib import Path

from nopea.git.protocol import ANSWER_BYTES, MAX_FRAME
from nopea.git.settings import GitSettings

DEFAULTS = GitSettings(cache_dir=Path("/cache"))


def test_an_answer_with_the_biggest_file_fits_into_a_frame() -> None:
    """A portion ends with the file that fills it, which may have the maximal size."""
    assert ANSWER_BYTES + DEFAULTS.max_file_bytes < MAX_FRAME


def test_a_child_can_hold_its_biggest_answer() -> None:
    """The contents, the frame around them, and the object that was read."""
    assert DEFAULTS.memory_bytes > 4 * MAX_FRAME


def test_servers_that_hang_leave_threads_to_fresh_requests() -> None:
    """Slow requests may take half of the threads at most; the fresh ones fit into the other half."""
    assert DEFAULTS.young_per_child < DEFAULTS.threads_per_child // 2 - 4
