"""Archives of charts that were made to cost memory, or to reach outside."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from tests.renderer.child import Renderer
from tests.renderer.test_helm import CHART, archive
from tests.renderer.test_remote_charts import HEAD, PLACE, packed_chart, render_args


def bomb() -> bytes:
    """Return an archive with 200 MiB of nothing."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, size in (("shop/Chart.yaml", len(HEAD)), ("shop/zeros", 200 << 20)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(HEAD.encode() if size < 1000 else bytes(size)))
    return packed.getvalue()


def many(count: int) -> bytes:
    """Return an archive of empty files: a header each, and nothing that Helm counts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("shop/a")
        for _ in range(count):
            tar.addfile(info)
    return packed.getvalue()


def nested(count: int) -> bytes:
    """Return an archive of archives, each of which Helm would unpack."""
    packed = io.BytesIO()
    inner = gzip.compress(gzip.decompress(many(30_000)), 9)
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"shop/charts/a-{number}.tgz")
            info.size = len(inner)
            tar.addfile(info, io.BytesIO(inner))
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip", b"", gzip.compress(b"not tar"), archive(packed_chart(CHART))[:-200],
        archive({"shop/Chart.yaml": HEAD, "shop/../../../etc/x": "x"}),
        archive({"shop/Chart.yaml": HEAD, "shop//etc/x": "x"}),
        archive({"Chart.yaml": HEAD}), archive({"shop/values.yaml": "a: 1\n"}),
        archive({"shop/Chart.yaml": HEAD, "shop/values.yaml": "a: &a {b: *a}\n"}),
        bomb(), many(200_000), nested(10),
    ],
    ids=[
        "text", "empty", "not tar", "half", "parent", "absolute", "no folder", "no chart", "alias",
        "bomb", "headers", "nested",
    ],
)  # fmt: skip
def test_a_hostile_archive_costs_its_own_request(renderer: Renderer, content: bytes) -> None:
    """The error names the archive."""
    error = renderer.refuse({PLACE: content}, **render_args())

    assert error["kind"] in {"invalid_chart", "invalid_resource"}
    assert error["file"].startswith(PLACE)
    assert renderer.render({PLACE: archive(packed_chart(CHART))}, **render_args()).objects


def test_a_link_in_an_archive_leads_nowhere(renderer: Renderer) -> None:
    """Helm takes it for an empty file."""
    packed = io.BytesIO(gzip.decompress(archive({"shop/Chart.yaml": HEAD})))
    with tarfile.open(fileobj=packed, mode="a") as tar:
        info = tarfile.TarInfo("shop/templates/a.yaml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)

    rendered = renderer.render({PLACE: gzip.compress(packed.getvalue())}, **render_args())

    assert rendered.objects == []
