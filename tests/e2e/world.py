"""What a test can access: the API server's objects, and GitRepositories with a repository to push to.

All state is read from the API server; the controller's internals are not used.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from tests.e2e.waiting import eventually
from tests.e2e.yamls import Manifest
from tests.gitserver import GitServer, Origin

from nopea.core.api.names import INVENTORY_KEY
from nopea.core.plan.inventory import unpack
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea_lab.lab import Lab

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
REPOSITORIES = "/apis/nopea.io/v1alpha1"
_moments = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server as its administrator sees it. Paths are short: `v1 configmaps shop/web`."""

    lab: Lab

    def get(self, place: str) -> Json | None:
        """Return an object, or None."""
        answer = self.lab.request("GET", path_of(place))
        if answer.status == 404:
            return None
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def must_get(self, place: str) -> Json:
        """Return an object; a missing object fails the test."""
        found = self.get(place)
        assert found is not None, f"{place} does not exist"
        return found

    def assert_gone(self, place: str) -> None:
        """Fail the test while an object exists."""
        assert self.get(place) is None, f"{place} exists"

    def list(self, place: str, *, query: str = "") -> list[Json]:
        """Return the objects of a kind: `v1 configmaps shop` in a namespace, `v1 configmaps` in all."""
        answer = self.lab.request("GET", f"{path_of(place)}?{query}")
        assert answer.status == 200, answer.body
        return list(answer.body["items"])

    def put(self, place: str, body: Manifest, *, manager: str = "kubectl") -> Json:
        """Create an object or take over the given fields by server-side apply."""
        answer = self.lab.request(
            "PATCH", f"{path_of(place)}?fieldManager={manager}&force=true", body, content_type=APPLY
        )
        assert answer.status in (200, 201), answer.body
        return dict(answer.body)

    def define(self, definition: Manifest) -> str:
        """Create a CustomResourceDefinition, wait until it is served, and return its place.

        The kind is asked for by its path: the discovery, which kubectl reads, has it up to a minute later.
        """
        spec, name = definition["spec"], definition["metadata"]["name"]
        place = f"apiextensions.k8s.io/v1 customresourcedefinitions /{name}"
        self.put(place, definition)
        for version in spec["versions"]:
            eventually(partial(self.list, f"{spec['group']}/{version['name']} {spec['names']['plural']}"))
        return place

    def merge(self, place: str, body: Json) -> Json:
        """Merge-patch an object."""
        answer = self.lab.request("PATCH", path_of(place), body, content_type=MERGE_PATCH)
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def delete(self, place: str) -> None:
        """Delete an object if it exists."""
        answer = self.lab.request("DELETE", path_of(place))
        assert answer.status in (200, 202, 404), answer.body


@dataclass(slots=True)
class Site:
    """A namespace, and a Git server for its repositories."""

    cluster: Cluster
    server: GitServer
    namespace: str
    names: list[str] = field(default_factory=list)
    origin_type: ClassVar[type[Origin]] = Origin
    """Makes each commit; another one changes its form."""

    def place(self, kind: str, name: str = "") -> str:
        """Return the place of an object in this namespace: `place("v1 configmaps", "web")`."""
        return f"{kind} {self.namespace}/{name}" if name else f"{kind} {self.namespace}"

    def origin(self, name: str, files: Mapping[str, str | bytes] | None = None) -> Origin:
        """Create the repository that `url(name)` serves, with a first commit if there are files."""
        origin = self.origin_type(self.server.root / self.namespace / f"{name}.git")
        if files is not None:
            origin.commit(files)
        return origin

    def url(self, name: str) -> str:
        """Return the URL of a repository created by `origin`."""
        return self.server.url(f"{self.namespace}/{name}.git")

    def declaration(self, name: str, **spec: Any) -> Json:
        """Return the GitRepository of this name; it follows `url(name)` on main every 5 minutes."""
        return {
            "apiVersion": "nopea.io/v1alpha1",
            "kind": "GitRepository",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"url": self.url(name), "ref": {"branch": "main"}, "interval": "5m", **spec},
        }

    def follow(self, name: str, **spec: Any) -> Repo:
        """Create the GitRepository of this name, see `declaration`."""
        path = path_of(self.place("nopea.io/v1alpha1 gitrepositories"))
        answer = self.cluster.lab.request("POST", path, self.declaration(name, **spec))
        assert answer.status == 201, answer.body
        self.names.append(name)
        return Repo(self, name)

    def sync(self, name: str, files: Mapping[str, str | bytes], **spec: Any) -> Repo:
        """Create a repository and its GitRepository, and wait until the commit is applied."""
        commit = self.origin(name, files).commit(files)
        repo = self.follow(name, **spec)
        repo.wait_synced(commit)
        return repo

    def inventory_key(self) -> Secret:
        """Return the key of the hashes of a controller for this namespace."""
        stored = self.cluster.must_get(self.place("v1 secrets", INVENTORY_KEY))
        return Secret(base64.b64decode(stored["data"]["key"]))

    def grant_all(self) -> None:
        """Let this namespace's GitRepositories write in the whole cluster, where they may not yet."""

    def clear(self) -> None:
        """Delete the GitRepositories, so that no other controller reconciles them."""
        for name in self.names:
            self.cluster.delete(self.place("nopea.io/v1alpha1 gitrepositories", name))


@dataclass(frozen=True, slots=True)
class Repo:
    """One GitRepository."""

    site: Site
    name: str

    @property
    def place(self) -> str:
        """The place of the GitRepository."""
        return self.site.place("nopea.io/v1alpha1 gitrepositories", self.name)

    @property
    def label(self) -> str:
        """The value of the ownership label on its objects."""
        return f"{self.site.namespace}.{self.name}"

    @property
    def log_key(self) -> str:
        """Its name in log lines."""
        return f"{self.site.namespace}/{self.name}"

    @property
    def git(self) -> Origin:
        """The Git repository that it follows, to push to."""
        return self.site.origin_type(self.site.server.root / self.site.namespace / f"{self.name}.git")

    def get(self) -> Json:
        """Return the object."""
        return self.site.cluster.must_get(self.place)

    def status(self) -> Json:
        """Return its status."""
        return dict(self.get().get("status") or {})

    def condition(self, type_: str) -> Json:
        """Return a condition of it, empty when it has none of this type."""
        return condition(self.get(), type_)

    def change(self, **spec: Any) -> None:
        """Change fields of its spec; None removes one."""
        self.site.cluster.merge(self.place, {"spec": spec})

    def sync_now(self) -> str:
        """Request a sync with the annotation and return its value."""
        value = f"now-{next(_moments)}"
        self.site.cluster.merge(
            self.place, {"metadata": {"annotations": {"nopea.io/sync-requested-at": value}}}
        )
        return value

    def sync_and_wait(self, *, seconds: float = 60.0) -> Json:
        """Request a sync, wait for it, and return the status."""
        value = self.sync_now()

        def handled() -> Json:
            status = self.status()
            assert status.get("lastHandledSyncAt") == value, status
            return status

        return eventually(handled, seconds=seconds)

    def wait_synced(self, commit: str = "", *, seconds: float = 60.0) -> Json:
        """Wait until it is Ready for the current spec (and at the commit) and return the object."""

        def synced() -> Json:
            found = self.get()
            status = found.get("status") or {}
            ready = condition(found, "Ready")
            assert ready.get("status") == "True", ready
            assert ready["observedGeneration"] == found["metadata"]["generation"], found
            assert status["lastAppliedCommit"] == (commit or status["lastAppliedCommit"]), status
            return found

        return eventually(synced, seconds=seconds)

    def wait_failed(self, code: str, *, seconds: float = 60.0) -> Json:
        """Wait until it fails with the code and return the object; Git's failures leave Ready as it is."""
        type_ = "Fetched" if Code(code).is_of_source else "Ready"

        def failed() -> Json:
            found = self.get()
            assert condition(found, type_).get("status") == "False", found.get("status")
            assert code in [error["code"] for error in found["status"].get("errors", ())], found["status"]
            return found

        return eventually(failed, seconds=seconds)

    def inventory(self) -> list[str]:
        """Return the names of the objects that the status records."""
        return [str(key) for key in unpack(self.status().get("inventory", ""))]

    def events(self) -> list[Json]:
        """Return the Events about it."""
        listed = self.site.cluster.list(self.site.place("events.k8s.io/v1 events"))
        return [event for event in listed if event["regarding"].get("uid") == self.get()["metadata"]["uid"]]

    def wait_event(self, reason: str, *, seconds: float = 60.0) -> Json:
        """Wait for an Event with this reason and return it."""

        def arrived() -> Json:
            matching = [event for event in self.events() if event["reason"] == reason]
            assert matching, self.events()
            return matching[0]

        return eventually(arrived, seconds=seconds)


def condition(found: Json, type_: str) -> Json:
    """Return an object's condition, empty when it has none of this type."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((dict(one) for one in conditions if one["type"] == type_), {})


def path_of(place: str) -> str:
    """Return the API path of `v1 configmaps shop/web`, `v1 configmaps shop`, `v1 namespaces /shop`."""
    api_version, plural, *rest = place.split(" ")
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    namespace, _, name = (rest[0] if rest else "").partition("/")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{within}/{plural}{f'/{name}' if name else ''}"
