"""`nopea status` and `nopea why` on real repositories: what people ask first."""

from __future__ import annotations

import re

from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Repo, Site

MAPS = "v1 configmaps"


def _why(site: Site, repo: Repo) -> Json:
    said = say(site.cluster.lab, "why", repo.name, f"--namespace={site.namespace}", "--output=json")
    assert said.code in (0, 1), said
    return said.json | {"code": said.code}


def _status(site: Site) -> tuple[int, list[str]]:
    said = say(site.cluster.lab, "status", f"--namespace={site.namespace}")
    return said.code, said.out.splitlines()


def test_all_is_fine(site: Site) -> None:
    """Both say so, and exit with 0."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", a="b"))})

    said = say(site.cluster.lab, "why", "shop", f"--namespace={site.namespace}")

    assert (said.code, said.out.splitlines()[1:]) == (0, ["✓ Nothing is wrong."])
    assert repo.status()["revision"] in said.out
    assert _status(site)[1] == ["1 GitRepository: 1 fine"]


def test_what_is_wrong_is_told_worst_first(site: Site) -> None:
    """A file that cannot be read, drift that was left, a suspension; the first names its file and line."""
    files = {"web.yaml": yamls.text(yamls.config_map("web", a="b"))}
    bad = site.sync("bad", files)
    bad.git.commit({**files, "broken.yaml": "a: [\n"})
    bad.sync_and_wait()
    drifted = site.sync(
        "drifted", {"api.yaml": yamls.text(yamls.config_map("api", a="b"))}, healPolicy="manual"
    )
    site.cluster.put(
        site.place(MAPS, "api"),
        yamls.config_map("api", a="changed"),
        manager="somebody",
    )
    site.sync("held", {"x.yaml": yamls.text(yamls.config_map("x", a="b"))}).change(suspend=True)

    def told() -> None:
        code, (numbers, *rows, last) = _status(site)
        assert code == 1
        assert numbers == "3 GitRepositories: 0 fine, 1 failing, 1 drifted, 1 held"
        assert [re.split(r"\s{2,}", row)[:2] for row in rows] == [
            ["failing", f"{site.namespace}/bad"],
            ["drifted", f"{site.namespace}/drifted"],
        ]
        assert f"`nopea why bad -n {site.namespace}`" in last

    eventually(told)
    (concern,) = _why(site, bad)["concerns"]
    assert (concern["kind"], concern["code"], concern["source"]) == ("failing", "NOPEA-M001", "broken.yaml:2")
    (concern,) = _why(site, drifted)["concerns"]
    assert concern["message"].startswith("Changed by somebody: .data.a b → changed")


def test_a_repository_that_does_not_exist(site: Site) -> None:
    """It is an error of its own."""
    said = say(site.cluster.lab, "why", "nothing", f"--namespace={site.namespace}")

    assert said.code == 3
    assert "does not exist" in said.err
