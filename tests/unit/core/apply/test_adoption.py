"""Which field claims of other managers are taken over."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.apply.adoption import adopt, last_applied_of
from nopea.core.apply.fieldset import Fields, entry_of, fields_of, union
from nopea.core.apply.ignore_rules import DEPLOYERS, IgnoreRules, ManagerPatterns
from nopea.core.apply.projection import LAST_APPLIED

NOTE: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}


def entry(manager: str, fields: Any, operation: str = "Update", **extra: str) -> dict[str, Any]:
    """Return an entry of managedFields."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **extra,
    }


def data(*keys: str) -> dict[str, Any]:
    """Return the field set of some keys of a ConfigMap."""
    return {"f:data": {f"f:{key}": {} for key in keys}}


def live(*managed: Any, annotations: dict[str, str] | None = None, **values: str) -> dict[str, Any]:
    """Return a stored ConfigMap."""
    metadata: dict[str, Any] = {"name": "settings", "resourceVersion": "7", "managedFields": list(managed)}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values}


def adopted(stored: dict[str, Any], **options: Any) -> dict[str, Any] | None:
    """Return the object after the adoption's patch; None if there is no patch."""
    patch = adopt(stored, **options)
    if patch is None:
        return None
    result = copy.deepcopy(stored)
    for operation in orjson.loads(patch):
        *holders, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"][1:].split("/")
        ]
        holder = result
        for part in holders:
            holder = holder[part]
        assert last in holder  # remove and replace both need an existing value
        if operation["op"] == "remove":
            del holder[last]
        else:
            assert operation["op"] == "replace"
            holder[last] = operation["value"]
    return result


def ours(stored: dict[str, Any] | None) -> Any:
    """Return our field set."""
    assert stored is not None
    return fields_of(entry_of(stored["metadata"]["managedFields"], manager="nopea"))


@pytest.mark.parametrize(
    ("manager", "operation", "extra"),
    [
        ("kubectl-client-side-apply", "Update", {}),
        ("kubectl-create", "Update", {}),
        ("kubectl-edit", "Update", {}),
        ("kubectl-patch", "Update", {}),
        ("kubectl", "Update", {}),
        ("kubectl", "Apply", {}),
        ("k9s", "Update", {}),
        ("kubectl", "Update", {"subresource": "scale"}),
    ],
)
def test_claims_of_user_tools_are_taken_over(manager: str, operation: str, extra: dict[str, str]) -> None:
    """The claims of a user's tool are moved whatever the operation, and its entry is removed."""
    after = adopted(live(entry(manager, data("a"), operation, **extra), a="1"))

    assert ours(after) == data("a")
    assert after is not None
    assert len(after["metadata"]["managedFields"]) == 1
    assert entry_of(after["metadata"]["managedFields"], manager="nopea", operation="Apply") is not None


@pytest.mark.parametrize(
    "manager",
    ["helm", "helm-controller", "kustomize-controller", "argocd-controller", "argocd-application-controller",
     "Terraform", "HashiCorp", "pulumi-kubernetes-0a1b2c3d", "kapp-server-side-apply", "flux"],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["Apply", "Update"])
def test_claims_of_deployers_are_taken_over_on_request(manager: str, operation: str) -> None:
    """They are those of the tools from which objects are migrated; others, and status, keep theirs."""
    status = entry(manager, {"f:status": {"f:a": {}}}, "Update", subresource="status")
    stored = live(entry(manager, data("a"), operation), status, entry("operator", data("b")), a="1", b="1")
    assert adopt(stored) is None
    after = adopted(stored, deployers=ManagerPatterns(DEPLOYERS))
    assert ours(after) == data("a")
    assert after is not None
    assert after["metadata"]["managedFields"][1:] == [status, entry("operator", data("b"))]
    assert adopt(stored, deployers=ManagerPatterns(("acme*",))) is None


@pytest.mark.parametrize("manager", ["helm-controller", "kapp-controller", "terraform-operator"])
def test_a_controller_keeps_its_finalizers(manager: str) -> None:
    """Its name is like that of a deployer; without the finalizer its object would go without a cleanup."""
    controlled: Fields = {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"a.example/hold"': {}}, "f:ownerReferences": {}}
    }
    both = {**controlled, **data("a")}
    after = adopted(live(entry(manager, both, "Update"), a="1"), deployers=ManagerPatterns(DEPLOYERS))
    assert after is not None
    assert ours(after) == data("a")
    assert [one["fieldsV1"] for one in after["metadata"]["managedFields"] if one["manager"] == manager] == [
        controlled
    ]


@pytest.mark.parametrize(
    ("manager", "operation", "extra"),
    [
        ("nopea", "Apply", {}),
        ("helm", "Update", {}),
        ("kube-controller-manager", "Update", {}),
        ("kube-controller-manager", "Update", {"subresource": "scale"}),
        ("acme-deployer", "Apply", {}),
        ("ancient-changes", "Update", {}),
        ("kubectl", "Update", {"subresource": "status"}),
        ("kubectl-patch", "Update", {"subresource": "resize"}),
    ],
)
def test_other_claims_stay(manager: str, operation: str, extra: dict[str, str]) -> None:
    """Controllers, Helm and other appliers keep their claims, as do all entries for status and resize."""
    theirs = entry(manager, data("b"), operation, **extra)

    assert adopt(live(theirs, b="1")) is None
    after = adopted(live(theirs, entry("kubectl-edit", data("a")), a="1", b="1"))

    assert after is not None
    if manager == "nopea":
        theirs["fieldsV1"] = data("a", "b")
    assert theirs in after["metadata"]["managedFields"]


def test_claims_are_merged_into_our_entry() -> None:
    """Our entry keeps its claims, version and time, and gets the others' claims."""
    mine = entry("nopea", data("mine", "both"), "Apply", time="2026-01-01T00:00:00Z")
    theirs = entry("kubectl-edit", data("both", "theirs"), time="2026-02-01T00:00:00Z")

    after = adopted(live(theirs, mine, mine="1", both="1", theirs="1"))

    assert after is not None
    assert after["metadata"]["managedFields"] == [
        {**mine, "fieldsV1": data("mine", "both", "theirs")},
    ]


def test_a_new_entry_has_the_time_of_the_newest_claim() -> None:
    """Until our first apply, the time of our entry is that of the newest claim taken over."""
    one = entry("kubectl-create", data("a"), time="2026-01-01T00:00:00Z")
    two = entry("kubectl-edit", data("b"), time="2026-02-01T00:00:00Z")

    after = adopted(live(two, one, a="1", b="1"))

    assert after is not None
    assert after["metadata"]["managedFields"] == [
        entry("nopea", data("a", "b"), "Apply", time="2026-02-01T00:00:00Z")
    ]


def test_the_patch_detects_a_concurrent_change() -> None:
    """The patch sets the resourceVersion that was read; if it is old, the API server responds with 409."""
    patch = adopt(live(entry("kubectl-edit", data("a")), a="1"))

    assert patch is not None
    assert orjson.loads(patch)[-1] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_kubectls_annotation_is_removed_with_its_claim() -> None:
    """The last-applied annotation of kubectl is removed and not taken over; other annotations stay."""
    claims = union(data("a"), NOTE)
    stored = live(
        entry("kubectl-client-side-apply", claims), annotations={LAST_APPLIED: "{}", "note": "x"}, a="1"
    )

    after = adopted(stored)

    assert ours(after) == data("a")
    assert after is not None
    assert after["metadata"]["annotations"] == {"note": "x"}


def test_kubectls_annotation_is_removed_without_other_claims() -> None:
    """The annotation is removed even if nothing else has to be taken over."""
    after = adopted(live(entry("nopea", data("a"), "Apply"), annotations={LAST_APPLIED: "{}"}, a="1"))

    assert after is not None
    assert after["metadata"]["annotations"] == {}

    after = adopted(live(entry("kubectl-client-side-apply", NOTE), annotations={LAST_APPLIED: "{}"}))
    assert after is not None
    assert (after["metadata"]["managedFields"], after["metadata"]["annotations"]) == ([], {})


def test_another_managers_annotation_stays() -> None:
    """A tool other than kubectl that uses the annotation, such as Argo CD, keeps it."""
    stored = live(entry("argocd-controller", NOTE), annotations={LAST_APPLIED: "{}"})

    assert adopt(stored) is None


def test_an_object_without_owners_waits_for_its_first_apply() -> None:
    """Without managedFields the annotation is the only record of what was set, so it stays."""
    stored = live(annotations={LAST_APPLIED: '{"data":{"a":"1"}}'}, a="1")
    assert adopt(stored) is None
    del stored["metadata"]["managedFields"]
    assert adopt(stored) is None
    assert adopt({"apiVersion": "v1"}) is None


def test_before_the_first_apply_only_kubectls_record_counts() -> None:
    """Claims of before-first-apply become ours if kubectl's annotation contains them; others are released."""
    lump = union(
        {
            "f:data": {".": {}, "f:a": {}, "f:controller": {}},
            "f:spec": {
                "f:replicas": {},
                "f:ports": {
                    'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:nodePort": {}},
                    'k:{"port":90,"protocol":"TCP"}': {".": {}, "f:port": {}},
                },
            },
        },
        NOTE,
    )
    record = '{"data":{"a":"1","gone":"1"},"spec":{"ports":[{"port":80}],"replicas":null}}'
    before = entry("before-first-apply", lump)

    after = adopted(live(entry("nopea", data("g"), "Apply"), before, annotations={LAST_APPLIED: record}))

    assert ours(after) == {
        "f:data": {".": {}, "f:a": {}, "f:g": {}},
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}},
    }
    assert after is not None
    assert len(after["metadata"]["managedFields"]) == 1


@pytest.mark.parametrize(
    "record", [None, "", "{", '{"data":["a"]}', '{"data":"a"}', "[]", "null", "[" * 100_000]
)
def test_before_the_first_apply_without_a_record_nothing_becomes_ours(record: str | None) -> None:
    """Without a readable annotation the claims are released; all values stay."""
    annotations = {LAST_APPLIED: record} if record is not None else {}
    mine = entry("nopea", data("g"), "Apply")
    stored = live(mine, entry("before-first-apply", union(data("a"), NOTE)), annotations=annotations, a="1")

    after = adopted(stored)

    assert after is not None
    assert after["metadata"]["managedFields"] == [mine]
    assert after["data"] == {"a": "1"}


@pytest.mark.parametrize("record", [None, "", "{", "[]", "null", 7, "[" * 100_000])
def test_an_unreadable_record_is_empty(record: Any) -> None:
    """Any client can write kubectl's annotation, so it may be invalid."""
    assert last_applied_of(live(annotations={LAST_APPLIED: record})) == {}


def test_control_annotations_and_status_keep_their_owner() -> None:
    """Control annotations below nopea.io/ stay with the user; our own label and annotation are taken over."""
    steering: dict[str, Any] = {
        "f:metadata": {"f:annotations": {"f:nopea.io/suspend-heal": {}, "f:nopea.io/prune": {}}}
    }
    status: dict[str, Any] = {"f:status": {"f:phase": {}}}
    other: dict[str, Any] = {
        "f:metadata": {
            "f:annotations": {".": {}, "f:nopea.io/source": {}, "f:nopea.example/x": {}},
            "f:labels": {"f:nopea.io/repository": {}},
        }
    }
    theirs = entry("kubectl-edit", union(union(steering, status), union(other, data("a"))), time="t")

    after = adopted(live(theirs, a="1"))

    assert ours(after) == union(other, data("a"))
    assert after is not None
    assert after["metadata"]["managedFields"][1:] == [{**theirs, "fieldsV1": union(steering, status)}]
    assert adopt(after) is None


@pytest.mark.parametrize("mark", [{}, {".": {}}])
def test_control_annotations_alone_cause_no_write(mark: dict[str, Any]) -> None:
    """An object on which a user set only control annotations needs no patch."""
    fields = {"f:metadata": {"f:annotations": {**mark, "f:nopea.io/suspend-heal": {}}}}

    assert adopt(live(entry("kubectl-annotate", fields))) is None


@pytest.mark.parametrize("mark", [{}, {".": {}}])
def test_a_restart_of_the_pods_stays(mark: dict[str, Any]) -> None:
    """The tool's annotation is not taken over: the next apply would remove it and undo the restart."""
    annotation = {"f:annotations": {**mark, "f:kubectl.kubernetes.io/restartedAt": {}}}
    restart: dict[str, Any] = {"f:spec": {"f:template": {"f:metadata": annotation}}}
    assert adopt(live(entry("kubectl-rollout", restart))) is None

    after = adopted(live(entry("k9s", union(restart, data("a"))), a="1"))

    assert after is not None
    assert (
        fields_of(entry_of(after["metadata"]["managedFields"], manager="nopea")).get("f:data")
        == data("a")["f:data"]
    )
    kept = fields_of(entry_of(after["metadata"]["managedFields"], manager="k9s", operation="Update"))
    assert kept == {
        "f:spec": {
            "f:template": {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}}
        }
    }


def test_ignored_claims_stay() -> None:
    """Claims to ignored pointers and claims of ignored managers are not taken over."""
    stored = live(
        entry("kubectl-edit", data("a", "b")), entry("kubectl-patch", data("c")), a="1", b="1", c="1"
    )

    after = adopted(stored, rules=IgnoreRules(pointers=("/data/b",), managers=("kubectl-patch",)))

    assert ours(after) == data("a")
    assert after is not None
    assert [item["fieldsV1"] for item in after["metadata"]["managedFields"][1:]] == [data("b"), data("c")]
    assert adopt(after, rules=IgnoreRules(pointers=("/data/b",), managers=("kubectl-patch",))) is None


def test_a_claim_to_an_ignored_list_item_stays() -> None:
    """A pointer selects an item by its index in the live list, a claim by its keys."""
    ports: dict[str, Any] = {
        f'k:{{"port":{port},"protocol":"TCP"}}': {".": {}, "f:port": {}} for port in (80, 90)
    }
    first, second = ({"f:spec": {"f:ports": {key: node}}} for key, node in ports.items())
    stored = live(entry("kubectl-edit", {"f:spec": {"f:ports": ports}}))
    stored["spec"] = {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 90, "protocol": "TCP"}]}

    after = adopted(stored, rules=IgnoreRules(pointers=("/spec/ports/1",)))

    assert ours(after) == first
    assert after is not None
    assert after["metadata"]["managedFields"][1]["fieldsV1"] == second


def test_only_claims_of_user_tools_are_taken_over() -> None:
    """A controller keeps its claims; before-first-apply counts as a user's tool."""
    stored = live(entry("acme-console", data("a")), entry("kubectl", data("b")), a="1", b="1")

    assert ours(adopted(stored)) == data("b")
    stored = live(entry("before-first-apply", data("a")), a="1")
    assert adopt(stored) is not None


def test_claims_of_another_version_are_taken_over_if_the_field_exists() -> None:
    """Our entry has one version; a claim to a field that the object does not have is released."""
    theirs = {**entry("kubectl", data("a", "renamed")), "apiVersion": "v1beta1"}
    assert ours(adopted(live(theirs, a="1"))) == data("a")

    mine = {**entry("nopea", data("m"), "Apply"), "apiVersion": "v1beta1"}
    stored = live(mine, theirs, entry("kubectl-edit", data("b", "gone")), a="1", b="1")
    after = adopted(stored)

    assert ours(after) == data("m", "a", "renamed", "b")
    assert after is not None
    assert after["metadata"]["managedFields"][0]["apiVersion"] == "v1beta1"


FIELDS = st.sampled_from(["f:a", "f:b", "f:metadata"])
NODES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([{}, {".": {}, "f:c": {}}]),
    lambda inner: st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=8,
)
SETS = st.dictionaries(st.sampled_from(["f:a", "f:b", "f:status"]), NODES, max_size=3)
ENTRIES = st.builds(
    entry,
    st.sampled_from(["nopea", "kubectl-edit", "kubectl", "helm", "before-first-apply"]),
    SETS,
    st.sampled_from(["Apply", "Update"]),
)


@settings(deadline=None)
@given(st.lists(ENTRIES, max_size=5, unique_by=lambda item: (item["manager"], item["operation"])))
def test_adoption_is_idempotent_and_changes_only_metadata(managed: list[dict[str, Any]]) -> None:
    """After one patch nothing is left to take over, and none of our claims is lost."""
    stored = live(*managed, a="1")
    before = copy.deepcopy(stored)

    after = adopted(stored)

    assert stored == before
    if after is None:
        return
    assert adopt(after) is None
    assert {key: value for key, value in after.items() if key != "metadata"} == {
        key: value for key, value in before.items() if key != "metadata"
    }
    if had := ours(before):
        assert union(ours(after), had) == ours(after)


SHAPES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["manager", "fieldsV1", "f:a", "f:metadata", "f:annotations", "k:{", "v:1"]),
            inner,
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(SHAPES, SHAPES)
def test_no_shape_raises(fields: Any, managed: Any) -> None:
    """Invalid managedFields from a server or client do not raise an error."""
    adopt(live(entry("kubectl", fields), entry("before-first-apply", fields)))
    stored = live()
    stored["metadata"]["managedFields"] = managed

    patch = adopt(stored)

    assert patch is None or isinstance(orjson.loads(patch), list)
