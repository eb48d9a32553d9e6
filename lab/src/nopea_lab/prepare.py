"""Make the files that a lab needs before its processes start: plan, certificates, kubeconfigs.

Makes only what is missing, so that a lab keeps its ports, its keys and its objects over restarts.
"""

from __future__ import annotations

from dataclasses import replace

from nopea_lab import kubeconfig
from nopea_lab.components import APISERVER, CONTROLLER_MANAGER_KUBECONFIG, port_names
from nopea_lab.errors import LabError
from nopea_lab.files import make_private_folder
from nopea_lab.layout import LabOptions, LabPlan, Layout, free_ports

# What can be in a lab's folder before its plan is.
_EARLY_FILES = {"lock", "logs"}


def refuse_foreign_folder(layout: Layout) -> None:
    """Raise LabError for a folder that holds something which is not a lab's."""
    if layout.plan.exists() or not layout.folder.exists():
        return
    if not layout.folder.is_dir():
        raise LabError(f"{layout.folder} is not a folder.", hint="Give an empty or new folder with --dir.")
    foreign = sorted(path.name for path in layout.folder.iterdir() if path.name not in _EARLY_FILES)
    if foreign:
        raise LabError(
            f"{layout.folder} is not a lab: it holds {', '.join(foreign[:3])}.",
            hint="Give an empty or new folder with --dir.",
        )


def prepare(layout: Layout, options: LabOptions) -> LabPlan:
    """Make what is missing and return the plan; of `options` only `pods` counts for a lab that is there."""
    make_private_folder(layout.folder / "logs")
    plan = LabPlan.read(layout.plan)
    if plan is None:
        plan = LabPlan(ports=free_ports(port_names()), options=options)
        plan.write(layout.plan)
    elif options.pods and not plan.options.pods:
        plan = replace(plan, options=replace(plan.options, pods=True))
        plan.write(layout.plan)
    files = layout.certificates
    if not files.is_complete():
        files.make()
    for path, name in (
        (layout.kubeconfig, "admin"),
        (layout.folder / CONTROLLER_MANAGER_KUBECONFIG, "controller-manager"),
    ):
        kubeconfig.write_for_certificate(
            path,
            server=APISERVER.url(plan),
            authority=files.certificate("ca"),
            certificate=files.certificate(name),
            key=files.key(name),
        )
    return plan
