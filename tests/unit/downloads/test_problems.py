"""What a response of a server means for the user."""

from __future__ import annotations

import pytest

from nopea.core.problem import Code, Remedy, SyncError, TransientError
from nopea.downloads import problems


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, Code.REMOTE_REFUSED, Remedy.SETTING),
        (403, Code.REMOTE_REFUSED, Remedy.SETTING),
        (404, Code.REMOTE_NOT_FOUND, Remedy.COMMIT),
        (410, Code.REMOTE_NOT_FOUND, Remedy.COMMIT),
        (400, Code.REMOTE_REFUSED, Remedy.SETTING),
        (408, Code.REMOTE_UNREACHABLE, Remedy.TIME),
        (429, Code.REMOTE_UNREACHABLE, Remedy.TIME),
        (500, Code.REMOTE_UNREACHABLE, Remedy.TIME),
        (503, Code.REMOTE_UNREACHABLE, Remedy.TIME),
    ],
)
def test_a_status_has_a_code(status: int, code: Code, remedy: Remedy) -> None:
    """Only what time mends is retried with backoff."""
    error = problems.of_status("oci://r.example/web", status, missing="Look.")

    assert isinstance(error, SyncError)
    assert (error.problems[0].code, error.problems[0].remedy) == (code, remedy)
    assert isinstance(error, TransientError) is (remedy is Remedy.TIME)


@pytest.mark.parametrize(
    ("header", "seconds"), [("30", 30), ("", 0), ("soon", 0), ("999999", 3600), ("-1", 0)]
)
def test_a_wait_has_a_limit(header: str, seconds: float) -> None:
    """An hour at most, and a number of seconds only."""
    error = problems.of_status("x", 429, retry_after=header, missing="")

    assert error.problems[0].retry_after_seconds == seconds
