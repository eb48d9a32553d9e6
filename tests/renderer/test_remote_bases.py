"""Kustomize bases that lie elsewhere: the renderer says what it needs, and uses what its parent fetched."""

from __future__ import annotations

from typing import Any

import pytest
from tests.renderer.child import Renderer

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
URL, FILE = "github.com/org/repo//deploy?ref=v1", "https://example.test/install.yaml"
BASE = ".git/remotes/1"
PLUGIN = "apiVersion: builtin\nkind: %s\nmetadata: {name: a}\n%s\n"


def fetched(**files: str) -> dict[str, str | bytes]:
    """Return a user's repository that uses one base, and what the base has beside its kustomization."""
    mine = {"kustomization.yaml": f"resources: ['{URL}']\n", "secret.txt": "hunter2", "secret.yaml": SERVICE}
    return {**mine, **{f"{BASE}/{name.replace('_', '.')}": text for name, text in files.items()}}


def given(**request: Any) -> dict[str, Any]:
    """Return the parts of a request that give the base as a whole."""
    return {"folders": ["", BASE], "remotes": {URL: BASE}, **request}


@pytest.mark.parametrize("reference", [FILE, URL, "git@example.test:org/repo.git"])
@pytest.mark.parametrize("field", ["resources", "bases"])
def test_a_remote_base_is_asked_for(renderer: Renderer, reference: str, field: str) -> None:
    """The renderer has no network: its parent fetches what is remote."""
    answer = renderer.ask({"kustomization.yaml": f"namePrefix: a-\n{field}: ['{reference}']\n"})

    assert answer["fetch"] == [{"kind": "base", "url": reference, "file": "kustomization.yaml", "line": 2}]
    assert "need" not in answer


def test_everything_that_is_needed_is_asked_for_at_once(renderer: Renderer) -> None:
    """Each reference once, beside the folders of the repository; a mistake elsewhere is told later."""
    files = {
        "o/kustomization.yaml": f"resources: [../base, '{URL}', gone.yaml]\ncomponents: ['{URL}x']\n",
        "p/kustomization.yaml": f"resources: ['{URL}', ../o]\n",
    }

    answer = renderer.ask(files, path="p", folders=["o", "p"], kustomize={"components": ["github.com/a/b"]})

    assert answer["need"] == ["base"]
    assert [(item["url"], item["file"]) for item in answer["fetch"]] == [
        (URL, "p/kustomization.yaml"), (f"{URL}x", "o/kustomization.yaml"), ("github.com/a/b", ""),
    ]  # fmt: skip


def test_one_answer_asks_for_a_bounded_number_of_items(renderer: Renderer) -> None:
    """The rest is asked for next time."""
    urls = [f"https://example.test/{number}.yaml" for number in range(100)]
    files: dict[str, str | bytes] = {"kustomization.yaml": f"resources: [{', '.join(urls)}]\n"}

    first = [item["url"] for item in renderer.ask(files)["fetch"]]
    remotes = {url: f".git/remotes/{number}/a.yaml" for number, url in enumerate(first)}

    assert first == urls[:64]
    assert [item["url"] for item in renderer.ask(files, remotes=remotes)["fetch"]] == urls[64:]


@pytest.mark.parametrize(
    "field",
    [
        "crds: [{0}]",
        "configurations: [{0}]",
        "patches: [{{path: {0}}}]",
        "replacements: [{{path: {0}}}]",
        "openapi: {{path: {0}}}",
        "configMapGenerator: [{{name: a, files: [{0}]}}]",
        "secretGenerator: [{{name: a, envs: [{0}]}}]",
        "generators: [{0}]",
        "transformers: [{0}]",
        "validators: [{0}]",
        "transformers: [plugins]",
    ],
)
def test_other_fields_take_nothing_remote(renderer: Renderer, field: str) -> None:
    """Settings of a plugin could name the user's files; so they are not fetched, even through a folder."""
    files = {
        "kustomization.yaml": field.format(FILE) + "\n",
        "plugins/kustomization.yaml": f"resources: [{FILE}]\n",
        ".git/remotes/1/a.yaml": SERVICE,
    }

    for remotes in ({}, {FILE: ".git/remotes/1/a.yaml"}):
        error = renderer.refuse(files, remotes=remotes)
        assert (error["kind"], error["url"]) == ("remote", FILE)


def test_fetched_bases_stand_in_for_their_urls(renderer: Renderer) -> None:
    """They give the same objects as bases beside the overlay."""
    settings = f"namePrefix: a-\nimages: [{{name: x, newTag: '2'}}]\nresources:\n- {URL}\n- {FILE}\n"
    base = "resources: [../shared/a.yaml]\nconfigMapGenerator: [{name: c, files: [../shared/a.yaml]}]\n"
    files = {
        "o/kustomization.yaml": settings,
        f"{BASE}/deploy/kustomization.yaml": base,
        f"{BASE}/shared/a.yaml": SERVICE,
        ".git/remotes/2/install.yaml": SERVICE.replace("{name: web}", "{name: db}"),
    }
    remotes = {URL: f"{BASE}/deploy", FILE: ".git/remotes/2/install.yaml"}
    local = {
        "o/kustomization.yaml": settings.replace(URL, "../deploy").replace(FILE, "../install.yaml"),
        "deploy/kustomization.yaml": base,
        "shared/a.yaml": SERVICE,
        "install.yaml": files[".git/remotes/2/install.yaml"],
    }

    rendered = renderer.render(files, path="o", remotes=remotes, folders=["", BASE, ".git/remotes/2"])

    assert rendered.objects == renderer.render(local, path="o").objects
    assert [source for source, _ in rendered.sources] == [
        f"{BASE}/shared/a.yaml", f"{BASE}/deploy/kustomization.yaml", ".git/remotes/2/install.yaml",
    ]  # fmt: skip
    assert set(files) <= set(rendered.read)


def test_a_base_is_given_lazily_and_may_have_bases_itself(renderer: Renderer) -> None:
    """That the whole repository of the user was given says nothing about what was fetched."""
    files: dict[str, str | bytes] = {"kustomization.yaml": f"resources: ['{URL}']\n"}
    request: dict[str, Any] = {"remotes": {URL: f"{BASE}/deploy"}, "folders": [""]}

    assert renderer.ask(files, **request)["need"] == [f"{BASE}/deploy"]
    request["folders"].append(f"{BASE}/deploy")
    files[f"{BASE}/deploy/kustomization.yaml"] = f"# a comment\n\nresources: [../shared, '{FILE}']\n"
    answer = renderer.ask(files, **request)
    assert answer["need"] == [f"{BASE}/shared"]
    assert answer["fetch"] == [
        {"kind": "base", "url": FILE, "file": f"{BASE}/deploy/kustomization.yaml", "line": 3}
    ]
    request["folders"].append(f"{BASE}/shared")
    request["remotes"][FILE] = ".git/remotes/2/install.yaml"
    files[f"{BASE}/shared/kustomization.yaml"] = "namePrefix: b-\n"
    assert renderer.ask(files, **request)["need"] == [".git/remotes/2/install.yaml"]
    files[".git/remotes/2/install.yaml"] = SERVICE
    assert len(renderer.render(files, **request).objects) == 1


def test_a_base_that_was_not_there_is_a_missing_file(renderer: Renderer) -> None:
    """The error is at the reference."""
    error = renderer.refuse(fetched(), remotes={URL: f"{BASE}/deploy"}, missing=[f"{BASE}/deploy"])

    assert (error["kind"], error["missing"]) == ("missing_file", f"{BASE}/deploy")
    assert (error["file"], error["line"]) == ("kustomization.yaml", 1)


def test_spec_kustomize_takes_remote_components(renderer: Renderer) -> None:
    """They change the documents that the parent has parsed, too."""
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"
    files = {"kustomization.yaml": "resources: [secret.yaml]\n", "secret.yaml": SERVICE}
    files[f"{BASE}/kustomization.yaml"] = component
    parsed = ["a.yaml", 0, b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}']

    for documents, name in ([], "web-c"), ([parsed], "a-c"):
        rendered = renderer.render(files, kustomize={"components": [URL]}, documents=documents, **given())
        assert [item["metadata"]["name"] for item in rendered.objects] == [name]


@pytest.mark.parametrize(
    "field",
    [
        "resources: [../../../secret.yaml]",
        "resources: [../2]",
        "resources: [../../../.git/remotes/2/a.yaml]",
        "components: [../../..]",
        "configMapGenerator: [{name: a, files: [../../../secret.txt]}]",
        "configMapGenerator: [{name: a, files: [x=../../../secret.txt]}]",
        "configMapGenerator: [{name: a, envs: [../../../secret.txt]}]",
        "secretGenerator: [{name: a, files: [../../../secret.txt]}]",
        "patches: [{path: ../../../secret.yaml}]",
        "patchesStrategicMerge: [../../../secret.yaml]",
        "replacements: [{path: ../../../secret.yaml}]",
        "configurations: [../../../secret.yaml]",
        "crds: [../../../secret.yaml]",
        "openapi: {path: ../../../secret.yaml}",
        "generators: [../../../secret.yaml]",
        "transformers: [../../../secret.yaml]",
        "resources: [/repository/secret.yaml]",
    ],
)
def test_a_fetched_base_cannot_name_what_is_outside_of_it(renderer: Renderer, field: str) -> None:
    """Whoever owns the remote base does not see the user's files, nor those of another base."""
    files = {**fetched(kustomization_yaml=field + "\n"), ".git/remotes/2/a.yaml": SERVICE}

    error = renderer.refuse(files, **given())

    assert (error["kind"], error["file"]) == ("outside", f"{BASE}/kustomization.yaml")


@pytest.mark.parametrize("place", ["../../../secret.txt", "/repository/secret.txt", "../2/secret.txt"])
@pytest.mark.parametrize(
    ("field", "kind", "setting"),
    [
        ("generators", "ConfigMapGenerator", "files: ['%s']"),
        ("generators", "SecretGenerator", "envs: ['%s']"),
        ("transformers", "PatchTransformer", "path: '%s'"),
        ("transformers", "PatchStrategicMergeTransformer", "paths: ['%s']"),
        ("transformers", "ReplacementTransformer", "replacements: [{path: '%s'}]"),
    ],
)
def test_plugins_of_a_fetched_base_read_only_its_files(
    renderer: Renderer, place: str, field: str, kind: str, setting: str
) -> None:
    """Settings of a plugin are known during the build only; the file system itself has nothing else."""
    plugin = PLUGIN % (kind, setting % place)
    files = fetched(
        kustomization_yaml=f"resources: [a.yaml]\n{field}: [p.yaml]\n", a_yaml=SERVICE, p_yaml=plugin
    )
    files[".git/remotes/2/secret.txt"] = "hunter2"
    remotes = {URL: BASE, FILE: ".git/remotes/2"}

    answer = renderer.ask(files, remotes=remotes, folders=["", BASE, ".git/remotes/2"])

    assert answer["err"]["kind"] in {"missing_file", "invalid_kustomization", "invalid_resource"}
    assert "hunter2" not in str(answer)
    assert answer == {
        **renderer.ask(files, remotes=remotes, folders=["", BASE, ".git/remotes/2"]),
        "id": answer["id"],
    }


def test_plugins_of_a_fetched_base_read_its_files(renderer: Renderer) -> None:
    """As in a base of the user's."""
    plugin = PLUGIN % ("ConfigMapGenerator", "files: [a.txt]")
    files = fetched(kustomization_yaml="generators: [p.yaml]\n", p_yaml=plugin, a_txt="mine")

    (found,) = renderer.render(files, **given()).objects

    assert found["data"] == {"a.txt": "mine"}


@pytest.mark.parametrize(
    "field",
    [
        "resources: [.git/remotes/1]",
        "resources: [o/../.git/remotes/1/a.yaml]",
        "components: [./.git/remotes/1]",
        "configMapGenerator: [{name: a, files: [.git/remotes/1/a.yaml]}]",
        "patches: [{path: .git/remotes/1/a.yaml}]",
        "resources: [.git/config]",
    ],
)
def test_the_users_kustomization_cannot_name_what_was_fetched(renderer: Renderer, field: str) -> None:
    """The folder is the parent's, and its names may change."""
    files = {**fetched(kustomization_yaml="", a_yaml=SERVICE), "kustomization.yaml": field + "\n"}

    error = renderer.refuse(files, **given())

    assert (error["kind"], error["file"]) == ("outside", "kustomization.yaml")


def test_plugins_of_the_user_cannot_name_what_was_fetched(renderer: Renderer) -> None:
    """Where only the build sees the path."""
    files = fetched(kustomization_yaml="resources: [a.yaml]\n", a_yaml=SERVICE)
    files["kustomization.yaml"] = f"resources: ['{URL}']\ngenerators: [p.yaml]\n"
    files["p.yaml"] = PLUGIN % ("ConfigMapGenerator", f"files: [{BASE}/a.yaml]")

    assert renderer.refuse(files, **given())["kind"] == "missing_file"


def test_where_a_fetched_base_lies_during_a_build_is_told_to_nobody(renderer: Renderer) -> None:
    """Origins have the names of the parent, which are the same each time."""
    files = fetched(kustomization_yaml="resources: [a.yaml]\nnamePrefix: a-\n", a_yaml=SERVICE)
    files["kustomization.yaml"] = (
        f"resources: ['{URL}']\nbuildMetadata: [originAnnotations, transformerAnnotations]\n"
    )

    (found,) = renderer.render(files, **given()).objects

    annotations = found["metadata"]["annotations"]
    assert annotations["config.kubernetes.io/origin"] == f"path: {BASE}/a.yaml\n"
    assert (
        f"configuredIn: {BASE}/kustomization.yaml"
        in annotations["alpha.config.kubernetes.io/transformations"]
    )
    assert "fetched-" not in str(found)
    assert renderer.render(files, **given()).objects == [found]


def test_bases_in_a_circle_are_refused(renderer: Renderer) -> None:
    """A fetched base that has its own URL as a base."""
    error = renderer.refuse(fetched(kustomization_yaml=f"resources: ['{URL}']\n"), **given())

    assert (error["kind"], error["file"]) == ("cycle", f"{BASE}/kustomization.yaml")


def test_a_file_beside_the_repository_is_no_place_for_a_base(renderer: Renderer) -> None:
    """The parent would mix it up with the user's files."""
    assert renderer.refuse(fetched(), remotes={URL: "base"})["kind"] == "bug"
