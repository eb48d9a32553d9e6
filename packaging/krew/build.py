"""Write the archive and the manifest of the krew plugin: `python build.py BASE_URL VERSION FOLDER`.

The archive is the same for the same version, wherever and whenever it is built.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
LICENSE = HERE.parents[1] / "LICENSE"


def build(base_url: str, version: str, folder: Path) -> Path:
    """Write `kubectl-nopea-VERSION.tar.gz`, and `nopea.yaml`, which names it; return the latter's path."""
    plugin = (HERE / "kubectl-nopea").read_text(encoding="utf-8").replace("@VERSION@", version)
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        for name, content, mode in (
            ("kubectl-nopea", plugin.encode(), 0o755),
            ("LICENSE", LICENSE.read_bytes(), 0o644),
        ):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    packed = gzip.compress(tarred.getvalue(), mtime=0)
    path = folder / f"kubectl-nopea-{version}.tar.gz"
    path.write_bytes(packed)
    manifest = (HERE / "nopea.yaml").read_text(encoding="utf-8")
    for word, value in {
        "@BASE_URL@": base_url.rstrip("/"),
        "@VERSION@": version,
        "@ARCHIVE@": path.name,
        "@SHA256@": hashlib.sha256(packed).hexdigest(),
    }.items():
        manifest = manifest.replace(word, value)
    written = folder / "nopea.yaml"
    written.write_text(manifest, encoding="utf-8")
    return written


if __name__ == "__main__":
    build(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
