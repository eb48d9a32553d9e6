"""Which Secrets and ConfigMaps a spec names, for what, and what each must hold. Pure; values never print."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nopea.cli.doctor.finding import Verdict
from nopea.core.api.notify import ReceiverType
from nopea.core.api.references import ReferenceKind, ValuesReference
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy, proxy_violation
from nopea.core.decryption.logins import LOGINS
from nopea.core.downloads.logins import parse_logins
from nopea.core.git.credentials import missing_secret, parse_credentials, parse_proxy, why_no_proxy
from nopea.core.notify.receiver import parse_receiver, receiver_problem
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem
from nopea.core.webhooks.secret import no_secret, token_of, weakness

Raw = Mapping[str, Any]
WEBHOOKS = "webhooks"
RECEIVERS = "receivers"
SECRETS = "secrets"
LOGIN = "spec.secretRef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One object that a field of a spec names; `check` says what is wrong with one that exists.

    `missing` is the problem of one that does not exist, None if it is optional. Nopea itself reads the
    object, or the account that applies the repository's objects if `by_account`.
    """

    owner: RepoKey
    field: str
    object: ObjectKey
    check: Callable[[Raw], Problem | None]
    missing: Problem | None
    subject: str = SECRETS
    by_account: bool = False
    weakness: Callable[[Raw], Problem | None] | None = None
    """What somebody should know of an object that serves its purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with the object that a field of one GitRepository's spec names."""

    subject: str
    owner: RepoKey
    field: str
    object: ObjectKey
    problem: Problem
    verdict: Verdict


def troubles_of(reference: Reference, raw: Raw | None) -> Iterator[Trouble]:
    """Yield what is wrong with the object as it was read; None is one that does not exist."""
    for problem, verdict in (
        (reference.missing if raw is None else reference.check(raw), Verdict.PROBLEM),
        (reference.weakness(raw) if reference.weakness and raw is not None else None, Verdict.WARNING),
    ):
        if problem is not None:
            yield Trouble(
                subject=reference.subject,
                owner=reference.owner,
                field=reference.field,
                object=reference.object,
                problem=problem,
                verdict=verdict,
            )


def references_of(repository: Repository, policy: TenancyPolicy) -> Iterator[Reference]:
    """Yield what the spec names; nothing for one that is invalid. `policy` is the controller's."""
    spec = repository.spec
    if isinstance(spec, GitRepositorySpec):
        yield from _of_source(repository.key, spec, policy)
        yield from _of_rendering(repository.key, spec)
        yield from _of_webhook(repository.key, spec)
        yield from _of_receivers(repository.key, spec, policy)


def _of_source(owner: RepoKey, spec: GitRepositorySpec, policy: TenancyPolicy) -> Iterator[Reference]:
    if spec.secret_ref is not None:
        login = _secret(owner, spec.secret_ref.name)
        yield Reference(
            owner=owner,
            field=LOGIN,
            object=login,
            check=lambda raw: _problem(parse_credentials(raw, name=login.name, url=spec.url)),
            missing=missing_secret(login.name, owner.namespace),
        )
    if spec.proxy_secret_ref is not None:
        field, proxy = "spec.proxySecretRef", _secret(owner, spec.proxy_secret_ref.name)

        def usable(raw: Raw) -> Problem | None:
            found = parse_proxy(raw, name=proxy.name)
            return found if isinstance(found, Problem) else proxy_violation(found, policy)

        yield Reference(
            owner=owner,
            field=field,
            object=proxy,
            check=lambda raw: why_no_proxy(spec.url, name=proxy.name) or usable(raw),
            missing=missing_secret(proxy.name, owner.namespace, field=field),
        )


def _of_rendering(owner: RepoKey, spec: GitRepositorySpec) -> Iterator[Reference]:
    if spec.decryption is not None and spec.decryption.secret_ref is not None:
        keys = _secret(owner, spec.decryption.secret_ref.name)
        yield Reference(
            owner=owner,
            field="spec.decryption.secretRef",
            object=keys,
            check=lambda raw: (
                None
                if _opens_files(raw)
                else _no_key(keys, f"that ends in .agekey or .asc, nor {' or '.join(LOGINS)}")
            ),
            missing=_missing(keys),
        )
    for variables in spec.substitute_from:
        yield _input(owner, "spec.substituteFrom", variables)
    for values in spec.helm.values_from if spec.helm is not None else ():
        yield _input(owner, "spec.helm.valuesFrom", values, key=values.values_key)
    if spec.helm is not None and spec.helm.secret_ref is not None:
        login, chart = _secret(owner, spec.helm.secret_ref.name), spec.helm.chart or ""
        yield Reference(
            owner=owner,
            field="spec.helm.secretRef",
            object=login,
            check=lambda raw: _problem(parse_logins(raw, name=login.name, chart=chart)),
            missing=_missing(login),
        )


def _input(owner: RepoKey, field: str, reference: ValuesReference, *, key: str = "") -> Reference:
    """Return the reference to an input; `key` is the one that it must have, if it must have one."""
    named = ObjectKey("", reference.kind.value, owner.namespace, reference.name)

    def check(raw: Raw) -> Problem | None:
        is_fine = reference.optional or not key or key in (raw.get("data") or {})
        return None if is_fine else _no_key(named, f"`{key}`")

    missing = None if reference.optional else _missing(named)
    return Reference(owner=owner, field=field, object=named, check=check, missing=missing, by_account=True)


def _of_webhook(owner: RepoKey, spec: GitRepositorySpec) -> Iterator[Reference]:
    if spec.webhook is None:
        return
    field, key = "spec.webhook.secretRef", _secret(owner, spec.webhook.secret_ref.name)
    hint = f"Create it with the key `token`, or correct {field}.name. Until then deliveries are refused."
    yield Reference(
        owner=owner,
        field=field,
        object=key,
        check=lambda raw: _problem(token_of(raw, where=str(key))),
        missing=no_secret(f"{key} does not exist.", hint),
        subject=WEBHOOKS,
        weakness=lambda raw: weakness_of(raw, where=str(key)),
    )


def weakness_of(raw: Raw, *, where: str) -> Problem | None:
    """Return what somebody should know of a token; None without one."""
    token = token_of(raw, where=where)
    return None if isinstance(token, Problem) else weakness(token, where=where)


def _of_receivers(owner: RepoKey, spec: GitRepositorySpec, policy: TenancyPolicy) -> Iterator[Reference]:
    for receiver in spec.notify:
        key = _secret(owner, receiver.secret_ref.name)

        def address(raw: Raw, where: str = str(key), type_: ReceiverType = receiver.type) -> Problem | None:
            return _problem(parse_receiver(raw, type_=type_, where=where, policy=policy))

        hint = "Create it with the key `url`, or correct spec.notify."
        yield Reference(
            owner=owner,
            field="spec.notify",
            object=key,
            check=address,
            missing=receiver_problem(f"{key} does not exist.", hint),
            subject=RECEIVERS,
        )


def _problem(parsed: object) -> Problem | None:
    return parsed if isinstance(parsed, Problem) else None


def _secret(owner: RepoKey, name: str) -> ObjectKey:
    return ObjectKey("", ReferenceKind.SECRET.value, owner.namespace, name)


def _opens_files(raw: Raw) -> bool:
    return any(name.endswith((".agekey", ".asc")) or name in LOGINS for name in raw.get("data") or {})


def _missing(key: ObjectKey) -> Problem:
    return Problem(
        code=Code.INPUT_MISSING,
        message=f"{key} does not exist.",
        hint="Create it, correct the spec, or set optional: true where that is possible.",
    )


def _no_key(key: ObjectKey, what: str) -> Problem:
    return Problem(
        code=Code.INPUT_MISSING,
        message=f"{key} has no key {what}.",
        hint="Add the key, or correct the spec.",
    )
