"""The programs of a lab: their versions, where they are released, how they are built.

One row per program. The versions are those that `controlplane/go.mod` and `simulator/go.mod` pin; a test
compares them.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
ETCD_VERSION = "v3.6.8"
KWOK_VERSION = "v0.8.0"

MODULE_FILES = ("go.mod", "go.sum")

_VERSION_PACKAGE = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
_KUBERNETES_FLAGS = (
    f"-s -w -X {_VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION}"
    f" -X {_VERSION_PACKAGE}.gitMajor={_MAJOR} -X {_VERSION_PACKAGE}.gitMinor={_MINOR}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A folder with pinned Go modules, beside this file, and how programs are linked from them."""

    name: str
    linker_flags: str

    @property
    def folder(self) -> Path:
        """Return where its go.mod and go.sum are."""
        return Path(__file__).parent / self.name

    @property
    def build_flags(self) -> tuple[str, ...]:
        """Return the flags of `go build`."""
        return ("-trimpath", "-ldflags", self.linker_flags)


CONTROL_PLANE = Module(name="controlplane", linker_flags=_KUBERNETES_FLAGS)
# Apart, because it needs other versions of Kubernetes' modules.
SIMULATOR = Module(name="simulator", linker_flags="-s -w")
MODULES = (CONTROL_PLANE, SIMULATOR)
_MODULE_FOLDERS = tuple(module.folder for module in MODULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program; `build_seconds` is about what its build takes on two cores with empty caches.

    `archive` names the release archive it comes in; without one it is released as a file of its own. A
    program whose release publishes no digest is not `verifiable`, and is not downloaded.
    """

    name: str
    package: str
    build_seconds: int
    module: Module = CONTROL_PLANE
    archive: bool = False
    verifiable: bool = True


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

# What a lab needs besides so that Pods run.
POD_PROGRAMS = (
    Program(name="kube-scheduler", package="k8s.io/kubernetes/cmd/kube-scheduler", build_seconds=10),
    Program(
        name="kwok",
        package="sigs.k8s.io/kwok/cmd/kwok",
        build_seconds=60,
        module=SIMULATOR,
        verifiable=False,
    ),
)

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def architecture(machine: str = "") -> str:
    """Return this machine's architecture as release names spell it, such as `amd64`."""
    found = machine or platform.machine()
    return _ARCHITECTURES.get(found.lower(), found.lower())


def programs(*, pods: bool) -> tuple[Program, ...]:
    """Return the programs of a lab, in the order in which they are made."""
    return (*PROGRAMS, *POD_PROGRAMS) if pods else PROGRAMS


def cache_key(folders: Sequence[Path] = _MODULE_FOLDERS) -> str:
    """Return the cache folder's name: the version, and a digest of everything that makes the binaries."""
    flags = [flag for module in MODULES for flag in module.build_flags]
    packages = [program.package for program in programs(pods=True)]
    digest = hashlib.sha256("\0".join((*flags, architecture(), *packages)).encode())
    for folder in folders:
        for name in MODULE_FILES:
            digest.update((folder / name).read_bytes())
    return f"{KUBERNETES_VERSION}-{digest.hexdigest()[:12]}"
