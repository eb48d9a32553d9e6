"""Helm charts for tests: small valid archives, the same bytes for the same arguments."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
data:
  message: {{ .Values.message | quote }}
  version: {{ .Chart.Version | quote }}
"""


def chart_archive(
    name: str,
    version: str,
    files: Mapping[str, str | bytes] | None = None,
    dependencies: Sequence[Mapping[str, Any]] | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the .tgz of a chart with one ConfigMap, which has `.Values.message` and the chart's version.

    `files` are added, or replace those of the same path in the chart's folder. `metadata` is added to
    Chart.yaml.
    """
    head: dict[str, Any] = {"apiVersion": "v2", "name": name, "version": version, **(metadata or {})}
    if dependencies:
        head["dependencies"] = [dict(each) for each in dependencies]
    contents: dict[str, str | bytes] = {
        "Chart.yaml": yaml.safe_dump(head, sort_keys=False),
        "values.yaml": yaml.safe_dump({"message": f"Hello from {name}"}),
        "templates/configmap.yaml": _CONFIG_MAP,
        **(files or {}),
    }
    return archive({f"{name}/{path}": content for path, content in contents.items()})


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Return a .tgz of the files, in their order."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for path, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(raw), 0o644
            tar.addfile(entry, io.BytesIO(raw))
    return packed.getvalue()


def metadata_of(chart: bytes) -> dict[str, Any]:
    """Return Chart.yaml of a chart's archive."""
    with tarfile.open(fileobj=io.BytesIO(chart), mode="r:gz") as tar:
        for member in tar:
            if member.name.count("/") == 1 and member.name.endswith("/Chart.yaml"):
                found = tar.extractfile(member)
                assert found is not None
                loaded: dict[str, Any] = yaml.safe_load(found.read())
                return loaded
    raise ValueError("the archive has no Chart.yaml")


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of the content as a registry writes it: `sha256:` and 64 digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
