"""The sample repository is what the demo says of it."""

from __future__ import annotations

import yaml

from nopea_lab.demo import shop


def test_the_first_commit_holds_six_objects_of_the_shop() -> None:
    """A namespace, a definition and its object, and three of Kubernetes' own kinds."""
    documents = [one for text in shop.FIRST.files.values() for one in yaml.safe_load_all(text)]

    assert sorted(one["kind"] for one in documents) == [
        "ConfigMap",
        "CustomResourceDefinition",
        "Deployment",
        "Discount",
        "Namespace",
        "Service",
    ]


def test_each_change_changes_what_it_says() -> None:
    """The replacements find their places in the files."""
    scaled, broken, fixed, grown = (
        next(yaml.safe_load_all(change.files[shop.WEB]))["spec"]
        for change in (shop.SCALED, shop.BROKEN, shop.FIXED, shop.GROWN)
    )

    assert (scaled["replicas"], fixed["replicas"], grown["replicas"]) == (4, 6, 8)
    assert shop.EDITED_REPLICAS not in (4, 6, 8)
    assert broken["replica"] == 6
    assert "replicas" not in broken
    assert yaml.safe_load(shop.BROKEN.files[shop.DISCOUNT])["spec"] == {"percent": 30}


def test_what_is_removed_was_there_and_is_needed_by_nothing() -> None:
    """The removed file is one of the first commit's, and its definition stays."""
    assert shop.CLOSED.removed == (shop.DISCOUNT,)
    assert shop.DISCOUNT in shop.FIRST.files
    assert not shop.CLOSED.files


def test_the_git_repository_names_the_url_and_trusts_the_hook() -> None:
    """The manifests are complete YAML, and the Secret that signs pushes is the one that is named."""
    secret, manifest = yaml.safe_load_all(
        shop.git_repository("http://127.0.0.1:1/shop.git", webhook_token="t0")
    )

    assert secret["stringData"] == {"token": "t0"}
    assert secret["metadata"] == {"name": shop.WEBHOOK_SECRET, "namespace": "default"}
    assert manifest["spec"] == {
        "url": "http://127.0.0.1:1/shop.git",
        "ref": {"branch": "main"},
        "webhook": {"provider": "generic", "secretRef": {"name": shop.WEBHOOK_SECRET}},
    }
