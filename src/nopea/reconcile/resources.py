"""Looks up the kinds of documents. A broken API service costs only the objects of its kinds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from nopea.core.manifests.render import Document, resources_of_definitions
from nopea.core.objects import GroupKind, Resource, split_api_version
from nopea.core.problem import Problem, TransientError
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ApiServiceError, UnknownKindError
from nopea.kube.problems import to_problem


@dataclass(frozen=True, slots=True)
class DocumentKinds:
    """The kinds by apiVersion and kind. One that is in neither map is not served."""

    found: dict[tuple[str, str], Resource] = field(default_factory=dict)
    unanswered: dict[tuple[str, str], ApiServiceError] = field(default_factory=dict)

    @property
    def group_kinds(self) -> Collection[GroupKind]:
        """The kinds that may or may not be served, because their API service does not answer."""
        return {GroupKind(split_api_version(version)[0], kind) for version, kind in self.unanswered}

    def split(self, documents: Sequence[Document]) -> tuple[Sequence[Document], list[Problem]]:
        """Return the documents that can be rendered, and a problem for each whose kind is unanswered."""
        if not self.unanswered:
            return documents, []
        rest = [document for document in documents if _kind_of(document) not in self.unanswered]
        return rest, [
            to_problem(
                self.unanswered[_kind_of(document)],
                object=f"{GroupKind(split_api_version(document.api_version)[0], document.kind)} "
                f"{document.object['metadata']['name']}",
                source=document.source,
            )
            for document in documents
            if _kind_of(document) in self.unanswered
        ]


async def look_up_kinds(discovery: Discovery, documents: Sequence[Document]) -> DocumentKinds:
    """Look up every kind once: what the server serves, else what the repository's own CRDs will serve.

    Raises TransientError when the API server itself cannot be asked.
    """
    own = resources_of_definitions(documents)
    kinds = DocumentKinds()
    for api_version, kind in dict.fromkeys(map(_kind_of, documents)):
        try:
            kinds.found[api_version, kind] = await _look_up(discovery, api_version, kind, own)
        except UnknownKindError:
            continue  # rendering reports it for each object
        except ApiServiceError as error:
            kinds.unanswered[api_version, kind] = error
        except ApiError as error:
            group_kind = GroupKind(split_api_version(api_version)[0], kind)
            raise TransientError(to_problem(error, object=str(group_kind))) from error
    return kinds


async def _look_up(
    discovery: Discovery, api_version: str, kind: str, own: Mapping[tuple[str, str], Resource]
) -> Resource:
    served = await discovery.served(api_version, kind)
    return served or own.get((api_version, kind)) or await discovery.find(api_version, kind)


def _kind_of(document: Document) -> tuple[str, str]:
    return document.api_version, document.kind
