"""Recording users with the rights of deploy/record-users, and no others."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import yaml
from tests.e2e.process import Nopea
from tests.e2e.tenancy import DEPLOY, OWN, RBAC, ROLES, binding, least_rights
from tests.e2e.test_users import CONFIGURATION, configuration
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster

USERS = "nopea-users"


def test_the_rights_of_the_component_are_enough(cluster: Cluster, tmp_path: Path) -> None:
    """Nopea starts before its rights are there, then makes its Secret and writes the configuration."""
    mark = f"nopea-{secrets.token_hex(4)}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    own, users = (
        list(yaml.safe_load_all((DEPLOY / folder / "rbac.yaml").read_text(encoding="utf-8")))
        for folder in ("base", "record-users")
    )
    cluster_role = next(one for one in users if one["kind"] == "ClusterRole")
    cluster.put(f"{RBAC} clusterroles /{USERS}", cluster_role)
    cluster.put(CONFIGURATION, configuration(port))
    arguments = (f"--namespace={mark}", "--record-users", f"--users-port={port}")
    try:
        with least_rights(cluster.lab, tmp_path, *arguments, roles=(*ROLES, USERS), mark=mark) as running:
            for role in (one for one in (*own, *users) if one["kind"] == "Role"):
                name = role["metadata"]["name"]
                if name in (OWN, USERS):
                    role["metadata"]["namespace"] = mark
                    cluster.put(f"{RBAC} roles {mark}/{name}", role)
                    place = f"{RBAC} rolebindings {mark}/{name}"
                    cluster.put(place, binding(place, name, f"{mark}/default", kind="Role"))
            eventually(lambda: _assert_recorded(running))
            called = cluster.must_get(CONFIGURATION)["webhooks"]
            assert all(one["clientConfig"]["url"].partition("/users/")[2] for one in called)
            assert cluster.must_get(f"v1 secrets {mark}/{USERS}")["data"].keys() == {
                "tls.crt",
                "tls.key",
                "token",
            }
    finally:
        cluster.delete(CONFIGURATION)
        cluster.delete(f"{RBAC} clusterroles /{USERS}")


def _assert_recorded(running: Nopea) -> None:
    assert running.logs("users recorded"), running.log_text()
