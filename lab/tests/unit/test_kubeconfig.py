"""Kubeconfig files can be moved and keep their secrets."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

from nopea_lab.kubeconfig import write_for_token


def test_a_token_kubeconfig_has_all_it_needs(tmp_path: Path) -> None:
    """Server, authority and token are inside; only its owner can read it."""
    (tmp_path / "ca.crt").write_text("authority")
    path = tmp_path / "kubeconfig"

    write_for_token(path, server="https://127.0.0.1:20000", authority=tmp_path / "ca.crt", token="t0ken")

    config = json.loads(path.read_text())
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:20000"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"authority"
    assert config["users"][0]["user"] == {"token": "t0ken"}
    context = next(entry for entry in config["contexts"] if entry["name"] == config["current-context"])
    assert (context["context"]["cluster"], context["context"]["user"]) == ("nopea-lab", "nopea-lab")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
