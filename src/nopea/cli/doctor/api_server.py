"""The API server: its version, Nopea's CustomResourceDefinitions, and other GitOps tools beside them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson

from nopea.cli.doctor.finding import Finding, good, problem, unknown, warning
from nopea.cli.installation.profiles import definitions
from nopea.core.api import names
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import DEFINITIONS

OLDEST = (1, 30)
"""The first version that serves ValidatingAdmissionPolicies as v1."""

NOT_INSTALLED = "installation"
"""The subject of the finding that none of Nopea's kinds exists."""
_FLUX = "toolkit.fluxcd.io"
_ARGO_CD = "argoproj.io"


async def examine_version(client: KubeClient) -> AsyncIterator[Finding]:
    """Say whether this version of Kubernetes is recent enough; raises ApiError."""
    text = str(orjson.loads((await client.read("/version")).body).get("gitVersion", ""))
    found = re.match(r"v?(\d+)\.(\d+)", text)
    oldest = ".".join(map(str, OLDEST))
    if found is None:
        yield unknown("kubernetes", f"The version of Kubernetes cannot be read from {text!r}.")
    elif (int(found[1]), int(found[2])) < OLDEST:
        yield problem(
            "kubernetes", f"Kubernetes {text} is too old.", f"Upgrade the cluster to {oldest} or later."
        )
    else:
        yield good("kubernetes", f"Kubernetes {text.removeprefix('v')}")


async def examine_definitions(client: KubeClient) -> AsyncIterator[Finding]:
    """Say whether Nopea's kinds are served and stored as this program knows them."""
    fine: list[str] = []
    missing: list[str] = []
    for ours in definitions():
        name = ours["metadata"]["name"]
        try:
            found = (await client.get(DEFINITIONS.at(name=name))).json()
        except NotFoundError:
            missing.append(name)
            continue
        except ForbiddenError:
            yield await _served(client)
            return
        findings = list(_definition_findings(found, ours))
        for each in findings:
            yield each
        if not findings:
            fine.append(ours["spec"]["names"]["kind"])
    if len(missing) == len(definitions()):
        fix = "`nopea install` installs it; `nopea doctor --pre` looks first whether you may."
        yield problem(NOT_INSTALLED, "Nopea is not installed in this cluster.", fix)
    elif missing:
        fix = "`nopea install` installs the definitions."
        yield problem("definitions", f"CustomResourceDefinition {missing[0]} does not exist.", fix)
    if fine:
        yield good("definitions", f"{' and '.join(fine)} ({names.VERSION}) are established.")


async def _served(client: KubeClient) -> Finding:
    """Say what discovery tells to who may not read definitions."""
    if await Discovery(client).served(names.API_VERSION, names.KIND) is None:
        text = f"The cluster does not serve {names.API_VERSION}."
        return problem("definitions", text, "`nopea install` installs Nopea.")
    text = f"{names.API_VERSION} is served. You may not read its CustomResourceDefinitions."
    return unknown("definitions", text)


def _definition_findings(found: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with a definition."""
    name, status = found["metadata"]["name"], found.get("status") or {}
    upgrade = "`nopea upgrade` installs the definitions of this version."
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    established = conditions.get("Established", {})
    if established.get("status") != "True":
        accepted = conditions.get("NamesAccepted", {})
        why = next(
            (each["message"] for each in (accepted, established) if each.get("status") == "False"),
            "It was created just now.",
        )
        text = f"CustomResourceDefinition {name} is not established: {why}"
        yield problem("definitions", text, "Remove what has its names, or wait a moment.")
    known = {version["name"] for version in ours["spec"]["versions"]}
    strange = [version for version in status.get("storedVersions", ()) if version not in known]
    if strange:
        text = f"Objects of {name} may be stored as {', '.join(strange)}, which {_THIS} does not know."
        yield problem("definitions", text, "Use the version of `nopea` that installed them.")
    schemas = {each["name"]: each.get("schema") for each in found["spec"]["versions"]}
    for version in ours["spec"]["versions"]:
        if version["name"] not in schemas:
            text = f"CustomResourceDefinition {name} does not have the version {version['name']}."
            yield problem("definitions", text, upgrade)
        elif schemas[version["name"]] != orjson.loads(orjson.dumps(version["schema"])):
            text = f"CustomResourceDefinition {name} is not that of {_THIS}: fields may be missing."
            yield warning("definitions", text, upgrade)


_THIS = "this version of `nopea`"


async def examine_neighbours(client: KubeClient) -> AsyncIterator[Finding]:
    """Name other tools that apply what is in Git."""
    try:
        served = await Discovery(client).all()
    except ApiError as error:
        yield unknown("neighbours", f"Which kinds the cluster serves cannot be read: {error}.")
        return
    groups = {each.group for each in served}
    if any(each.group.endswith(f".{_FLUX}") for each in served):
        plural = any(each.plural == names.PLURAL and each.group.endswith(_FLUX) for each in served)
        same = ""
        if plural:
            same = (
                f" Both have {names.PLURAL}: write `gr` or `{names.PLURAL}.{names.GROUP}` for Nopea's, "
                f"`{names.PLURAL}.source.{_FLUX}` for Flux's."
            )
        yield warning("neighbours", f"Flux is installed too.{same}", _ONE_OWNER)
    if _ARGO_CD in groups and any((each.group, each.kind) == (_ARGO_CD, "Application") for each in served):
        yield warning("neighbours", "Argo CD is installed too.", _ONE_OWNER)


_ONE_OWNER = (
    "Let only one tool apply an object. `nopea migrate` prints GitRepositories for what the other applies."
)
