"""The Secrets and ConfigMaps that specs name: whether they exist and hold what is needed.

They are read with the rights of the user. What may not be read is told as not checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nopea.cli.doctor.finding import Finding, Verdict, good, unknown
from nopea.cli.doctor.named_objects import Reading, read_named
from nopea.cli.doctor.references import SECRETS, Raw, Reference, Trouble, troubles_of
from nopea.cli.doctor.troubles import first_of, trouble_findings
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code
from nopea.core.show.words import count
from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedObjects:
    """What specs name, and what is wrong with it as far as it was read."""

    references: tuple[Reference, ...]
    reading: Reading
    troubles: tuple[Trouble, ...]

    def raw(self, key: ObjectKey) -> Raw | None:
        """Return an object that was read; None for one that was not, or does not exist."""
        return self.reading.found.get(key)

    def of(self, subject: str) -> list[Trouble]:
        """Return what is wrong with the objects of a subject."""
        return [each for each in self.troubles if each.subject == subject]

    def fine(self, subject: str) -> list[ObjectKey]:
        """Return the objects of a subject that were read and hold what is needed."""
        bad = {each.object for each in self.of(subject) if each.verdict is Verdict.PROBLEM}
        keys = dict.fromkeys(each.object for each in self.references if each.subject == subject)
        return [key for key in keys if key not in bad and self.raw(key) is not None]

    @property
    def unread(self) -> list[ObjectKey]:
        """Return the objects that were not read."""
        return sorted({each.object for each in self.references} - self.reading.found.keys())

    @property
    def told(self) -> frozenset[tuple[RepoKey, Code]]:
        """Return the errors that statuses need not tell again."""
        return frozenset((each.owner, each.problem.code) for each in self.troubles)


async def read_references(client: KubeClient, references: Iterable[Reference]) -> NamedObjects:
    """Read and check what specs name; what cannot be read is not an error."""
    named = tuple(references)
    reading = await read_named(client, (each.object for each in named))
    troubles = tuple(
        trouble
        for each in named
        if each.object in reading.found
        for trouble in troubles_of(each, reading.found[each.object])
    )
    return NamedObjects(references=named, reading=reading, troubles=troubles)


def secret_findings(named: NamedObjects) -> Iterator[Finding]:
    """Yield what is wrong with what specs name for sources and renderings, and what was not read at all."""
    yield from trouble_findings(named.of(SECRETS))
    if fine := named.fine(SECRETS):
        verbs = ("exists", "has") if len(fine) == 1 else ("exist", "have")
        yield good(SECRETS, f"{_counted(fine)} that specs name {verbs[0]} and {verbs[1]} what is needed.")
    if unread := named.unread:
        yield unknown(SECRETS, *_why_unread(unread, named.reading))


def _why_unread(unread: list[ObjectKey], reading: Reading) -> tuple[str, str]:
    """Return what was not checked and why, and what to do."""
    names = first_of(f"{key.namespace}/{key.name}" for key in unread)
    reasons = [reading.errors[key] for key in unread if key in reading.errors]
    other = next((each for each in reasons if not isinstance(each, ForbiddenError)), None)
    if other is not None:
        return f"{_counted(unread)} that specs name could not be read ({names}): {other}.", "Try again."
    if not reasons:
        return f"{_counted(unread)} that specs name: not checked, because there are too many ({names}).", ""
    them = "it" if len(unread) == 1 else "them"
    text = f"{_counted(unread)} that specs name: not checked, because you may not read {them} ({names})."
    return text, "Ask somebody who may `get` them to run `nopea doctor`."


def _counted(keys: Iterable[ObjectKey]) -> str:
    return " and ".join(
        count(number, kind)
        for kind, number in sorted(Counter(each.kind for each in keys).items(), reverse=True)
    )
