"""The rules of the model are evaluated as the API server does; tests/deploy compares the two."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.migrate.violations import violations

URL = "https://git.example/web"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"url": URL}, None),
        ({"url": "git@git.example:web"}, None),
        ({"url": f"{URL}\n"}, "url"),
        ({"url": "https://bot@git.example/web"}, "url"),
        ({"url": "ssh://git@git.example/web"}, None),
        ({"url": "ssh://git:x@git.example/web"}, "url"),
        ({"url": URL, "path": "a/..b"}, None),
        ({"url": URL, "path": "a/.."}, "path"),
        ({"url": URL, "path": "/a"}, "path"),
        ({"url": URL, "helm": {"chart": "charts/web"}}, None),
        ({"url": URL, "helm": {"chart": "oci://h/web"}}, None),
        ({"url": URL, "helm": {"chart": "oci://h/web/"}}, "helm.chart"),
        ({"url": URL, "helm": {"chart": "http://h/web"}}, "helm.chart"),
        ({"url": URL, "interval": "1s", "timeout": "60m", "retryInterval": "8760h"}, None),
        ({"url": URL, "interval": "500ms"}, "interval"),
        ({"url": URL, "timeout": "61m"}, "timeout"),
        ({"url": URL, "healGracePeriod": "8761h"}, "healGracePeriod"),
        ({"url": URL, "substitute": {"path": "/a"}, "unknown": "x"}, None),
    ],
)
def test_rules_about_one_text(spec: dict[str, Any], field: str | None) -> None:
    """Each has the message of the API server."""
    found = violations(spec)

    assert [path for path, _ in found] == ([field] if field else [])
    assert all(message.startswith("must ") for _, message in found)
