"""The story: what the demo does, in order, and what it says of it. Everything shown is read from the cluster.

Leaves ending to its caller.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from nopea.core.api import names
from nopea_lab.demo import shop
from nopea_lab.demo.screen import Screen, ScreenStep
from nopea_lab.demo.world import DemoWorld
from nopea_lab.errors import LabError
from nopea_lab.programs import KUBERNETES_VERSION

_COLUMNS = r"custom-columns=KIND:.kind,NAME:.metadata.name,FROM FILE:.metadata.annotations.nopea\.io/source"
_ANNOTATE = ("-n", shop.NAMESPACE, "annotate", "deployment", "web")


def tell(world: DemoWorld, screen: Screen) -> None:
    """Tell it. Raises LabError when a step fails."""
    screen.title("Nopea demo: a cluster follows Git. All of it runs on this machine, on loopback.")
    _set_up(world, screen)
    _first_sync(world, screen)
    _change(world, screen)
    _mistake(world, screen)
    _repair(world, screen)
    _edit(world, screen)
    _removal(world, screen)
    _break_glass(world, screen)
    _glass_mended(world, screen)
    _rendered(world, screen)
    _told(world, screen)


def _set_up(world: DemoWorld, screen: Screen) -> None:
    with screen.step("Control plane") as step:
        world.start_control_plane(step)
        step.text = f"Control plane {KUBERNETES_VERSION} is up: etcd, API server, controller manager"
    with screen.step("Git repository") as step:
        world.origin.create()
        world.start_git_server()
        world.origin.clone(world.git_url)
        world.origin.commit(shop.FIRST)
        world.origin.push()
        step.text = f"Git server is ready: {world.git_url}"
    with screen.step("nopea run") as step:
        world.start_event_sink()
        world.start_controller()
        step.text = f"nopea run is ready: {world.ready_url}"


def _first_sync(world: DemoWorld, screen: Screen) -> None:
    with screen.step("kubectl apply -f shop-gitrepository.yaml") as step:
        manifests = shop.git_repository(world.git_url, webhook_token=world.announce_pushes())
        world.kubectl("apply", "-f", "-", stdin=manifests)
        step.restart_clock()
        step.tick("Waiting for Ready")
        status = world.wait_for("The GitRepository is not Ready", lambda: _settled(world, ready="True"))
        step.text = (
            f"GitRepository is Ready: {status['inSyncCount']} objects, among them a CRD and an object of it"
        )
    screen.block(world.kubectl("get", f"{names.PLURAL}.{names.GROUP}").splitlines())
    listed = world.kubectl(
        "-n", shop.NAMESPACE, "get", shop.KINDS, "-l", "nopea.io/repository", "-o", _COLUMNS
    )
    screen.block(listed.splitlines())


def _change(world: DemoWorld, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step(f'git push "{shop.SCALED.message}"') as step:
        _push(world, step, shop.SCALED, ready="True")
        step.text = f"{step.text}: Deployment web, replicas {before} → {_replicas(world)}"


def _mistake(world: DemoWorld, screen: Screen) -> None:
    before = _percent(world)
    with screen.step("git push with a typo") as step:
        status = _push(world, step, shop.BROKEN, ready="False")
        step.text = f"{step.text}: one object refused, the rest applied"
    screen.block([f"Discount spring, percent {before} → {_percent(world)}. Deployment web is unchanged:"])
    error = status["errors"][0]
    screen.paragraph(f"{error['code']} {error['source']}: {error['message']}", style="red")
    screen.paragraph(f"→ {error['hint']}")


def _repair(world: DemoWorld, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step(f'git push "{shop.FIXED.message}"') as step:
        _push(world, step, shop.FIXED, ready="True")
        step.text = f"{step.text}: Ready again, replicas {before} → {_replicas(world)}"


def _edit(world: DemoWorld, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step("kubectl patch deployment web") as step:
        _patch_replicas(world)
        step.restart_clock()
        step.tick("Waiting for Nopea to see it")
        world.wait_for("Deployment web was not reverted", lambda: _replicas(world) == before)
        step.stop_clock()
        note = world.wait_for("There is no Event DriftHealed", lambda: world.event("DriftHealed"))
        step.text = f"kubectl patch web: reverted, replicas {before} → {shop.EDITED_REPLICAS} → {before}"
    screen.paragraph(f"DriftHealed: {note}")


def _removal(world: DemoWorld, screen: Screen) -> None:
    with screen.step(f'git push "{shop.CLOSED.message}"') as step:
        _push(world, step, shop.CLOSED, ready="True")
        world.wait_for("Discount spring was not deleted", lambda: world.find(shop.DISCOUNT_PATH) is None)
        step.stop_clock()
        note = world.wait_for("There is no Event Pruned", lambda: world.event("Pruned"))
        step.text = f"{step.text}: {shop.DISCOUNT} and its object are gone"
    screen.paragraph(f"Pruned: {note}")


def _break_glass(world: DemoWorld, screen: Screen) -> None:
    with screen.step("Break-glass on Deployment web") as step:
        world.kubectl(*_ANNOTATE, f"{names.SUSPEND_HEAL_ANNOTATION}=true")
        _patch_replicas(world)
        written = _generation(world)
        status = _push(world, step, shop.GROWN, ready="True")
        if _generation(world) != written or status.get("suspendedCount") != 1:
            raise LabError("Nopea changed Deployment web under break-glass.", hint="Run the demo again.")
        step.text = f"Break-glass on web, patch, push: nothing is written, replicas {_replicas(world)}"
    screen.block(world.kubectl("get", f"{names.PLURAL}.{names.GROUP}").splitlines())


def _glass_mended(world: DemoWorld, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step("Break-glass off") as step:
        world.kubectl(*_ANNOTATE, f"{names.SUSPEND_HEAL_ANNOTATION}-")
        step.restart_clock()
        step.tick("Waiting for Nopea")
        world.wait_for("Deployment web was not reverted", lambda: _replicas(world) != before)
        step.text = f"Break-glass off: Git wins, replicas {before} → {_replicas(world)}"


def _rendered(world: DemoWorld, screen: Screen) -> None:
    """Follow an overlay and a chart of the same repository, where the renderer is installed."""
    if not world.can_render:
        screen.paragraph("Without Go there is no nopea-render: the overlay and the chart are left out.")
        return
    with screen.step("Kustomize and Helm") as step:
        _push(world, step, shop.RENDERED, ready="True")
        world.kubectl("apply", "-f", "-", stdin=shop.rendered_repositories(world.git_url))
        world.wait_for("The overlay is not Ready", lambda: world.is_ready(shop.STAGE))
        world.wait_for("The chart is not Ready", lambda: world.is_ready(shop.CHART))
        step.text = "An overlay and a chart of the same repository are rendered"
    greeting, banner = (
        world.kubectl("-n", shop.NAMESPACE, "get", "configmap", name, "-o", "jsonpath={.data.text}")
        for name in ("stage-greeting", f"{shop.CHART}-banner")
    )
    screen.block([f"ConfigMaps stage-greeting: {greeting}; {shop.CHART}-banner: {banner}"])


def _told(world: DemoWorld, screen: Screen) -> None:
    """Show what a receiver of CDEvents has heard of it all, each type with how often."""
    with screen.step("CDEvents") as step:
        counts = world.wait_for("The receiver did not get every CDEvent", lambda: _counted(world))
        step.text = f"A CDEvents receiver got {sum(counts.values())} events"
    screen.paragraph(", ".join(f"{name} {count}" for name, count in counts.items()))
    screen.paragraph(
        "Seconds count from the end of kubectl or the start of git push, which a signed webhook announces.",
        style="dim",
    )


def _counted(world: DemoWorld) -> dict[str, int] | None:
    """Return how often each type has come; None before what was drifting last is resolved."""
    types = [type_.removeprefix("dev.cdevents.").rsplit(".", 3)[0] for type_ in world.events_told()]
    counts = Counter(types)
    return (
        dict(sorted(counts.items())) if counts["incident.resolved"] == counts["incident.detected"] else None
    )


def _push(world: DemoWorld, step: ScreenStep, change: shop.DemoCommit, *, ready: str) -> dict[str, Any]:
    """Push the change and return the status that answers it; the step is timed from the start of the push."""
    commit = world.origin.commit(change)
    step.restart_clock()
    world.origin.push()
    step.tick("Waiting for Nopea")
    return world.wait_for(
        f"Commit {commit[:7]} was not synced", lambda: _settled(world, commit=commit, ready=ready)
    )


def _settled(world: DemoWorld, *, ready: str, commit: str = "") -> dict[str, Any] | None:
    """Return the status once it tells of the commit (any without one) with that value of Ready."""
    status = world.status()
    told = [one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"]
    if told != [ready] or (commit and status.get("lastAttemptedCommit") != commit):
        return None
    return status


def _patch_replicas(world: DemoWorld) -> None:
    """Change the Deployment past Git, as a person would."""
    patch = f'{{"spec":{{"replicas":{shop.EDITED_REPLICAS}}}}}'
    world.kubectl("-n", shop.NAMESPACE, "patch", "deployment", "web", "--type=merge", "-p", patch)


def _generation(world: DemoWorld) -> int | None:
    """Return what the API server counts up at each write to the Deployment's spec."""
    found = world.find(shop.DEPLOYMENT_PATH)
    return int(found["metadata"]["generation"]) if found else None


def _replicas(world: DemoWorld) -> int | None:
    found = world.find(shop.DEPLOYMENT_PATH)
    return int(found["spec"]["replicas"]) if found else None


def _percent(world: DemoWorld) -> str:
    return world.kubectl("-n", shop.NAMESPACE, "get", "discount", "spring", "-o", "jsonpath={.spec.percent}")
