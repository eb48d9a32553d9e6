"""Turn what the renderer says is wrong into the problems that users read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nopea.core.manifests.tool import Tool
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.git.protocol import ErrorKind
from nopea.render.program import NAME, VARIABLE

_MAX_PROBLEMS = 100
_KUBECTL = "`kubectl kustomize` shows the same error."
_TEMPLATE = "`helm template` shows the same error."
_VALUES = "Correct spec.helm.values, or what spec.helm.valuesFiles and spec.helm.valuesFrom name."
_LATE = "Divide the folder: a rendering may take spec.timeout, and two minutes at most."
_PUSH = "Push the file, or correct the reference to it."
KINDS: dict[str, tuple[Code, str]] = {
    "invalid_kustomization": (Code.KUSTOMIZATION_INVALID, f"Correct the file. {_KUBECTL}"),
    "missing_file": (Code.RENDER_FILE_MISSING, _PUSH),
    "cycle": (Code.KUSTOMIZATION_CYCLE, "Remove one of the references."),
    "patch_no_match": (Code.PATCH_NO_MATCH, "Correct the target of the patch, or remove the patch."),
    "remote": (
        Code.REMOTE_BASE,
        "Only resources and components may be remote: commit the file, and refer to it by path.",
    ),
    "plugin": (Code.PLUGIN_REFUSED, "Nopea runs no plugins: commit what the plugin makes, and refer to it."),
    "outside": (Code.OUTSIDE_REPOSITORY, "Refer to files of this repository only."),
    "invalid_resource": (Code.RENDERED_INVALID, f"Correct the object. {_KUBECTL}"),
    "duplicate_id": (
        Code.RENDERED_TWICE,
        "Remove one of the objects, or write the second as a patch of the first.",
    ),
    "generator_too_big": (
        Code.GENERATED_TOO_BIG,
        "Divide the data between several generators. A ConfigMap or Secret has at most 1 MiB.",
    ),
    "too_many_documents": (Code.RENDERING_TOO_BIG, "Divide the folder between several GitRepositories."),
    "too_big": (Code.RENDERING_TOO_BIG, "Divide the folder between several GitRepositories."),
    "timeout": (Code.RENDERING_TIMEOUT, _LATE),
    "invalid_chart": (Code.CHART_INVALID, f"Correct the chart. {_TEMPLATE}"),
    "missing_dependency": (
        Code.CHART_DEPENDENCY,
        "Run `helm dependency update` in the folder of the chart, and commit Chart.lock or charts/.",
    ),
    "invalid_index": (
        Code.REMOTE_NOT_FOUND,
        "Check the URL in spec.helm.chart: `helm repo add` shows the same error.",
    ),
    "no_chart": (Code.REMOTE_NOT_FOUND, "Correct the name of the chart in spec.helm.chart."),
    "incompatible_kubernetes": (
        Code.CHART_INCOMPATIBLE,
        "Use a version of the chart for this Kubernetes, or set spec.helm.kubeVersion.",
    ),
    "invalid_values": (Code.VALUES_INVALID, _VALUES),
    "values_schema": (Code.VALUES_INVALID, _VALUES),
    "template": (Code.TEMPLATE_FAILED, f"Correct the template or the values. {_TEMPLATE}"),
    "not_yaml": (Code.TEMPLATE_OUTPUT, f"Correct the template. {_TEMPLATE}"),
    "no_values_file": (Code.RENDER_FILE_MISSING, _PUSH),
    "lfs_pointer": (Code.LFS_POINTER, "Keep files that are rendered out of Git LFS."),
    "encrypted": (
        Code.ENCRYPTED,
        "Set spec.decryption, or remove the file and create its objects in another way.",
    ),
}
KINDS |= {
    "no_key": (
        Code.DECRYPTION_KEY,
        "Add the private key of a recipient to the Secret in spec.decryption, or run `sops updatekeys`.",
    ),
    "key_not_asked": (
        Code.DECRYPTION_KEY,
        "Add a recipient of age, OpenPGP or another key service with `sops updatekeys`.",
    ),
    "bad_key": (Code.DECRYPTION_KEY, "Correct the key in the Secret that spec.decryption names."),
    "bad_mac": (
        Code.DECRYPTION_FAILED,
        "Somebody changed the file without sops. Restore it, or decrypt, check and encrypt it again.",
    ),
    "bad_encrypted_file": (Code.DECRYPTION_FAILED, "Encrypt the file again with sops."),
    "variable_unset": (
        Code.VARIABLE_UNSET,
        "Set it in spec.substitute or spec.substituteFrom, or write ${name:=default}; $${name} is text.",
    ),
    "bad_substitution": (Code.SUBSTITUTION_INVALID, "Correct the expression or the name of the variable."),
}
_FAILED = (Code.RENDERING_FAILED, "Nopea retries. If it stays, report it with the folder's files.")


def error_of(answer: Mapping[str, Any], *, path: str) -> SyncError:
    """Return the error that an answer with `err` means; `path` is the folder, for errors without a file."""
    raw = answer.get("errors") or [answer["err"]]
    problems = [_problem(each, path=path) for each in raw[:_MAX_PROBLEMS]]
    return (TransientError if all(one.code.transient for one in problems) else StalledError)(*problems)


def _problem(raw: Mapping[str, Any], *, path: str) -> Problem:
    code, hint = KINDS.get(str(raw.get("kind")), _FAILED)
    names = raw.get("names")  # of the recipients of an encrypted file
    told = raw.get("detail") or (", ".join(map(str, names)) if isinstance(names, list) else "")
    detail = " ".join(str(told).split())
    file, line = str(raw.get("file") or ""), raw.get("line") or 0
    return Problem(
        code=code,
        message=f"{raw.get('message')}{f' ({detail})' if detail else ''}",
        hint=hint,
        source=f"{file}:{line}" if file and line else file or path,
    )


def failure_of(kind: ErrorKind, message: str, *, path: str, tool: Tool | None = None) -> SyncError:
    """Return the error for a request without an answer: it was late, or cost its process its life."""
    if kind is ErrorKind.TIMEOUT:
        code, hint = Code.RENDERING_TIMEOUT, _LATE
    elif kind in (ErrorKind.MEMORY, ErrorKind.TOO_BIG):
        code, hint = Code.RENDERING_TOO_BIG, "Divide the folder between several GitRepositories."
        if tool is Tool.HELM:
            hint = "Look for a template that calls itself through tpl, or for lists that grow without end."
    else:
        code, hint = _FAILED
    problem = Problem(code=code, message=f"The folder cannot be rendered: {message}.", hint=hint, source=path)
    return (TransientError if code.transient else StalledError)(problem)


def no_program(path: str) -> SyncError:
    """Return the error where the program is not installed."""
    return StalledError(
        Problem(
            code=Code.RENDERER_MISSING,
            message=f"The folder must be rendered, and the program {NAME} is not installed.",
            hint=f"Use the image of the Dockerfile, or build {NAME} with `make renderer` and name it in "
            f"{VARIABLE}.",
            source=path,
        )
    )
