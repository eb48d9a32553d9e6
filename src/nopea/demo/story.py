"""The story: what the demo does, in order, and what it says of it. Everything shown is read from the cluster.

Leaves ending to its caller.
"""

from __future__ import annotations

from typing import Any

from nopea.demo import shop
from nopea.demo.screen import Screen, Step
from nopea.demo.world import World
from nopea.lab.programs import KUBERNETES_VERSION

_COLUMNS = r"custom-columns=KIND:.kind,NAME:.metadata.name,FROM FILE:.metadata.annotations.nopea\.io/source"


def tell(world: World, screen: Screen) -> None:
    """Tell it. Raises LabError when a step fails."""
    screen.title("Nopea demo: a cluster follows Git. All of it runs on this machine, on loopback.")
    _set_up(world, screen)
    _first_sync(world, screen)
    _change(world, screen)
    _mistake(world, screen)
    _repair(world, screen)


def _set_up(world: World, screen: Screen) -> None:
    with screen.step("Control plane") as step:
        world.start_control_plane(step)
        step.text = f"Control plane {KUBERNETES_VERSION} is up: etcd, API server, controller manager"
    with screen.step("Git repository") as step:
        world.origin.create()
        world.start_git_server()
        world.origin.clone(world.git_url)
        world.origin.commit(shop.FIRST)
        world.origin.push()
        step.text = f"Git repository is served: {world.git_url}"
    with screen.step("nopea run") as step:
        world.start_controller()
        step.text = f"nopea run is ready: {world.ready_url}"


def _first_sync(world: World, screen: Screen) -> None:
    with screen.step("kubectl apply -f shop-gitrepository.yaml") as step:
        world.kubectl("apply", "-f", "-", stdin=shop.git_repository(world.git_url))
        step.restart_clock()
        step.tick("waiting for Ready")
        status = world.wait_for("Ready GitRepository", lambda: _settled(world, ready="True"))
        step.text = (
            f"GitRepository applied: {status['appliedCount']} objects are there, a CRD and its object too"
        )
    screen.block(world.kubectl("get", "gitrepositories").splitlines())
    listed = world.kubectl(
        "-n", shop.NAMESPACE, "get", shop.KINDS, "-l", "nopea.io/repository", "-o", _COLUMNS
    )
    screen.block(listed.splitlines())


def _change(world: World, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step(f'git push "{shop.SCALED.message}"') as step:
        _push(world, step, shop.SCALED, ready="True")
        step.text = f"{step.text}: Deployment web, replicas {before} → {_replicas(world)}"


def _mistake(world: World, screen: Screen) -> None:
    before = _percent(world)
    with screen.step("git push with a typo") as step:
        status = _push(world, step, shop.BROKEN, ready="False")
        step.text = f"{step.text}: one object refused, the rest applied"
    screen.block([f"Discount spring, percent {before} → {_percent(world)}. Deployment web stays as it was:"])
    error = status["errors"][0]
    screen.paragraph(f"{error['code']} {error['source']}: {error['message']}", style="red")
    screen.paragraph(f"→ {error['hint']}")


def _repair(world: World, screen: Screen) -> None:
    before = _replicas(world)
    with screen.step(f'git push "{shop.FIXED.message}"') as step:
        _push(world, step, shop.FIXED, ready="True")
        step.text = f"{step.text}: Ready again, replicas {before} → {_replicas(world)}"
    screen.paragraph(
        f"Seconds count from kubectl apply or git push; Nopea asks Git every {shop.INTERVAL_SECONDS} s here.",
        style="dim",
    )


def _push(world: World, step: Step, change: shop.Change, *, ready: str) -> dict[str, Any]:
    """Push the change and return the status that answers it; the step is timed from the push."""
    commit = world.origin.commit(change)
    world.origin.push()
    step.restart_clock()
    step.tick("waiting for Nopea")
    return world.wait_for(
        f"answer to commit {commit[:7]}", lambda: _settled(world, commit=commit, ready=ready)
    )


def _settled(world: World, *, ready: str, commit: str = "") -> dict[str, Any] | None:
    """Return the status once it tells of the commit (any without one) with that value of Ready."""
    status = world.status()
    told = [one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"]
    if told != [ready] or (commit and status.get("lastAttemptedCommit") != commit):
        return None
    return status


def _replicas(world: World) -> str:
    return world.kubectl("-n", shop.NAMESPACE, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")


def _percent(world: World) -> str:
    return world.kubectl("-n", shop.NAMESPACE, "get", "discount", "spring", "-o", "jsonpath={.spec.percent}")
