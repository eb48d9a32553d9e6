"""Forms that no page has sent: each gets a plain answer, and no traceback."""

from __future__ import annotations

import logging

import pytest
from tests.fakes.dashboard import CSRF, KnownSource, KnownWorkbench, fine
from tests.fakes.dashboard_server import Visitor, dashboard

from nopea.dashboard import forms as module
from nopea.web.server import HTTP_LOGGER

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=abc"
PART = (
    b"--abc\r\nContent-Disposition: form-data; name=csrf\r\n"
    b"Content-Transfer-Encoding: x\r\n\r\nx\r\n--abc--\r\n"
)


def _source() -> KnownSource:
    source = KnownSource()
    source.put(fine("web"))
    return source


async def _post(visitor: Visitor, body: bytes, content_type: str) -> int:
    headers = {**visitor.origin, "Content-Type": content_type}
    async with visitor.session.post(f"{visitor.base}/r/shop/web/sync", data=body, headers=headers) as answer:
        assert answer.headers["Content-Security-Policy"]
        return int(answer.status)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"csrf=x", f"{FORM}; charset=rubbish", 403),
        (b"csrf=x", f"{FORM}; charset=hex", 403),
        (b"csrf=\\ud800", f"{FORM}; charset=unicode_escape", 403),
        (b"csrf=\xff\xfe", FORM, 400),
        (b"csrf=%ff", FORM, 400),
        (b"&a=b" * 15_000, FORM, 400),
        (b"x" * 200_000, FORM, 413),
        (b"x", "multipart/form-data", 415),
        (b"x", MULTIPART, 415),
        (PART, MULTIPART, 415),
        (b"{}", "application/json", 415),
    ],
)
async def test_broken_form_is_refused(
    body: bytes, content_type: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """With a status that says whose fault it is; nothing is done."""
    bench = KnownWorkbench()
    with caplog.at_level(logging.ERROR, HTTP_LOGGER):
        async with dashboard(_source(), workbench=bench) as visitor:
            assert await _post(visitor, body, content_type) == status
            assert await _post(visitor, f"csrf={CSRF}".encode(), f"{FORM}; charset=hex") == 200
    assert [record for record in caplog.records if record.exc_info] == []
    assert len(bench.done) == 1


async def test_body_that_never_ends_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is not kept for it."""
    monkeypatch.setattr(module, "FORM_SECONDS", 0.05)
    async with dashboard(_source(), workbench=KnownWorkbench()) as visitor:
        lines = ("POST /r/shop/web/sync HTTP/1.1", f"Origin: {visitor.base}", f"Content-Type: {FORM}",
                 "Content-Length: 100")  # fmt: skip
        assert await visitor.send(*lines, body=b"csrf=") == 408
