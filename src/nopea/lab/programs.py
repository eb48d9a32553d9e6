"""The programs of a control plane: their versions, where they are released, how they are built.

One row per program. The versions are those that `controlplane/go.mod` pins; a test compares them.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
ETCD_VERSION = "v3.6.8"

MODULE_FOLDER = Path(__file__).parent / "controlplane"
MODULE_FILES = ("go.mod", "go.sum")

_VERSION_PACKAGE = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
LINKER_FLAGS = (
    f"-s -w -X {_VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION}"
    f" -X {_VERSION_PACKAGE}.gitMajor={_MAJOR} -X {_VERSION_PACKAGE}.gitMinor={_MINOR}"
)
BUILD_FLAGS = ("-trimpath", "-ldflags", LINKER_FLAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program; `build_seconds` is about what its build takes on two cores with empty caches.

    `archive` names the release archive it comes in; without one it is released as a file of its own.
    """

    name: str
    package: str
    build_seconds: int
    archive: bool = False


PROGRAMS = (
    Program(name="etcd", package="go.etcd.io/etcd/server/v3", build_seconds=35, archive=True),
    Program(name="kube-apiserver", package="k8s.io/kubernetes/cmd/kube-apiserver", build_seconds=150),
    Program(
        name="kube-controller-manager",
        package="k8s.io/kubernetes/cmd/kube-controller-manager",
        build_seconds=45,
    ),
    Program(name="kubectl", package="k8s.io/kubernetes/cmd/kubectl", build_seconds=10),
)
PROGRAM_NAMES = tuple(program.name for program in PROGRAMS)

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def architecture(machine: str = "") -> str:
    """Return this machine's architecture as release names spell it, such as `amd64`."""
    found = machine or platform.machine()
    return _ARCHITECTURES.get(found.lower(), found.lower())


def cache_key(module_folder: Path = MODULE_FOLDER) -> str:
    """Return the cache folder's name: the version, and a digest of everything that makes the binaries."""
    digest = hashlib.sha256("\0".join((*BUILD_FLAGS, architecture(), *PROGRAM_NAMES)).encode())
    for name in MODULE_FILES:
        digest.update((module_folder / name).read_bytes())
    return f"{KUBERNETES_VERSION}-{digest.hexdigest()[:12]}"
