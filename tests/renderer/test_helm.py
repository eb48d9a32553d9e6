"""Helm over the renderer's pipes."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.renderer.child import Renderer

SECRET = (Path(__file__).parents[2] / "renderer" / "testdata" / "secret.yaml").read_text()
FILES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: files}
data:
{{ (.Files.Glob "*").AsConfig | indent 2 }}
"""
CHART: dict[str, str | bytes] = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: '7'\n",
    "chart/values.yaml": "replicas: 1\nimage: {repository: registry.example/shop, tag: ''}\nport: 80\n",
    "chart/templates/_names.tpl": '{{ define "shop.name" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}',
    "chart/templates/app.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ include "shop.name" . }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: shop
        image: "{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}"
---
# nothing here
---
apiVersion: v1
kind: Service
metadata: {name: {{ include "shop.name" . }}}
spec: {ports: [{port: {{ .Values.port }}}]}
""",
    "chart/templates/NOTES.txt": "Thank you for installing {{ .Chart.Name }}.",
    "chart/crds/coins.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: coins.shop.example}
""",
    "values/prod.yaml": "replicas: 3\nport: 81\n",
}
HELM: dict[str, Any] = {
    "releaseName": "eu", "namespace": "shops", "values": {}, "valuesFiles": [], "includeCRDs": True,
    "kubeVersion": "v1.36.0", "apiVersions": ["v1", "apps/v1"], "chart": "chart",
}  # fmt: skip


def chart_of(**templates: str) -> dict[str, str | bytes]:
    """Return a chart with these templates."""
    files: dict[str, str | bytes] = {f"chart/templates/{name}.yaml": text for name, text in templates.items()}
    return {"chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\n", **files}


def archive(files: dict[str, str]) -> bytes:
    """Return the files as a packed chart."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


def config_map(name: str, value: str) -> str:
    """Return a template of a ConfigMap."""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: {value}}}\n"


def test_a_chart_is_rendered_with_its_values_in_order(renderer: Renderer) -> None:
    """Values files come before inline values; definitions come first; notes are left out."""
    helm = {**HELM, "valuesFiles": ["values/prod.yaml"], "values": {"port": 82}}

    rendered = renderer.render(CHART, kind="helm", helm=helm)

    definition, deployment, service = rendered.objects
    assert definition["kind"] == "CustomResourceDefinition"
    assert deployment["metadata"] == {"name": "eu-shop", "namespace": "shops"}
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/shop:7"
    assert service["spec"]["ports"] == [{"port": 82}]
    assert rendered.sources == [
        ("chart/crds/coins.yaml", 0), ("chart/templates/app.yaml", 0), ("chart/templates/app.yaml", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("after", ["", "---\n", "\n\n---\n# the end\n"])
def test_a_block_of_text_at_the_end_of_a_document_keeps_its_line_break(
    renderer: Renderer, after: str
) -> None:
    """As Helm installs it: a file in a ConfigMap ends with a line break."""
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a.conf: |\n    colour=green\n"

    rendered = renderer.render(
        {**CHART, "chart/templates/config.yaml": config + after}, kind="helm", helm=HELM
    )

    assert [each["data"] for each in rendered.objects if each["kind"] == "ConfigMap"] == [
        {"a.conf": "colour=green\n"}
    ]


def test_what_a_chart_was_made_from_is_told(renderer: Renderer) -> None:
    """A new file in the chart's folder may change the outcome; one beside it may not."""
    rendered = renderer.render(CHART, kind="helm", helm={**HELM, "valuesFiles": ["values/prod.yaml"]})

    assert rendered.read == sorted(CHART)
    assert rendered.folders == ["chart"]


def test_the_chart_and_its_values_are_asked_for_at_once(renderer: Renderer) -> None:
    """Nothing was given but the request."""
    helm = {**HELM, "valuesFiles": ["values/prod.yaml"]}

    answer = renderer.ask({}, kind="helm", folders=[], helm=helm)

    assert answer["need"] == ["chart", "values/prod.yaml"]


def test_dependencies_come_from_charts_folders_and_archives(renderer: Renderer) -> None:
    """Each object of a dependency names the file of the repository that holds it."""
    files: dict[str, str | bytes] = {
        "chart/Chart.yaml": """\
apiVersion: v2
name: shop
version: 1.2.3
dependencies:
- {name: queue, version: 1.x, repository: "https://charts.example"}
- {name: store, version: 1.x, repository: "https://charts.example"}
- {name: store, version: 1.x, repository: "https://charts.example", alias: cellar}
- {name: shared, version: 1.x, repository: "file://../shared"}
""",
        "chart/charts/queue/Chart.yaml": "apiVersion: v2\nname: queue\nversion: 1.0.0\n",
        "chart/charts/queue/templates/a.yaml": config_map("queue", "{{ .Values.size }}"),
        "chart/charts/store-1.0.0.tgz": archive(
            {
                "store/Chart.yaml": "apiVersion: v2\nname: store\nversion: 1.0.0\n",
                "store/templates/a.yaml": config_map("{{ .Chart.Name }}", "{{ .Values.size }}"),
            }
        ),
        "shared/Chart.yaml": "apiVersion: v2\nname: shared\nversion: 1.1.0\n",
        "shared/templates/a.yaml": config_map("shared", "{{ .Values.size }}"),
    }
    values = {
        "queue": {"size": "a"},
        "cellar": {"size": "b"},
        "store": {"size": "d"},
        "shared": {"size": "c"},
    }

    rendered = renderer.render(files, kind="helm", helm={**HELM, "values": values})

    found = {
        item["metadata"]["name"]: (item["data"]["value"], source)
        for item, (source, _) in zip(rendered.objects, rendered.sources, strict=True)
    }
    assert found["queue"] == ("a", "chart/charts/queue/templates/a.yaml")
    assert found["store"] == ("d", "chart/charts/store-1.0.0.tgz")
    assert found["cellar"] == ("b", "chart/Chart.yaml")  # which has the alias
    assert found["shared"] == ("c", "shared/templates/a.yaml")


def test_a_missing_dependency_is_named_with_where_it_is_from(renderer: Renderer) -> None:
    """The parent can fetch it by these facts."""
    files = {
        "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\ndependencies:\n"
        "- {name: redis, version: 1.x, repository: 'https://charts.example'}\n"
    }

    error = renderer.refuse(files, kind="helm", helm=HELM)

    assert (error["kind"], error["names"]) == ("missing_dependency", ["redis"])
    assert error["dependencies"] == [
        {"name": "redis", "version": "1.x", "repository": "https://charts.example"}
    ]


def test_a_chart_for_a_newer_kubernetes_is_refused(renderer: Renderer) -> None:
    """The error names both versions."""
    files = {"chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\nkubeVersion: '>=1.99'\n"}

    error = renderer.refuse(files, kind="helm", helm=HELM)

    assert (error["kind"], error["wanted"], error["version"]) == (
        "incompatible_kubernetes",
        ">=1.99",
        "v1.36.0",
    )


def test_each_value_that_breaks_the_schema_is_named(renderer: Renderer) -> None:
    """All violations are answered, with the path of the value and not the value itself in the message."""
    schema = """{"properties": {"replicas": {"type": "integer"}, "tier": {"enum": ["a", "b"]}}}"""
    files = {**CHART, "chart/values.schema.json": schema}

    answer = renderer.ask(files, kind="helm", helm={**HELM, "values": {"replicas": "many", "tier": "z"}})

    assert sorted(error["variable"] for error in answer["errors"]) == ["replicas", "tier"]
    assert {error["kind"] for error in answer["errors"]} == {"values_schema"}
    assert "many" not in answer["err"]["message"]


def test_a_schema_reads_neither_the_disk_nor_the_network(renderer: Renderer, tmp_path: Path) -> None:
    """Helm's own validation would read both; a part that lies elsewhere is noted and not checked."""
    secret = tmp_path / "schema.json"
    secret.write_text('{"type": "string", "const": "secret"}')
    files = {
        **CHART,
        "chart/values.schema.json": f'{{"properties": {{"port": {{"$ref": "{secret.as_uri()}"}}}}}}',
    }

    rendered = renderer.render(files, kind="helm", helm=HELM)

    assert any(secret.as_uri() in note for note in rendered.notes)


@pytest.mark.parametrize(
    ("template", "kind", "line"),
    [
        ("a: 1\n{{ fail `no good` }}", "template", 2),
        ("a: 1\nb: {{ .Values.a.b.c }}", "template", 2),
        ("a: {{ include `nowhere` . }}", "template", 1),
        ("a: {{ if }}", "template", 1),
        ("a: {{ repeat 1000000000 `x` }}", "too_big", 1),
        ("a: {{ until 1000000000 }}", "too_big", 1),
        ("a: {{ indent 1000000000 `x` }}", "too_big", 1),
        ("a: {{ randAlphaNum 1000000000 }}", "too_big", 1),
        ("{{ define `x` }}{{ include `x` . }}{{ end }}a: {{ include `x` . }}", "template", 1),
        ("a: b: c", "not_yaml", 0),
        ("just text", "invalid_resource", 0),
    ],
)
def test_a_template_that_fails_is_named_with_its_line(
    renderer: Renderer, template: str, kind: str, line: int
) -> None:
    """Each costs its own request only."""
    error = renderer.refuse(chart_of(bad=template), kind="helm", helm=HELM)

    assert (error["kind"], error["file"], error["line"]) == (kind, "chart/templates/bad.yaml", line)


def test_templates_reach_nothing_of_the_process(renderer: Renderer) -> None:
    """The environment and the names of hosts are not there; what a cluster would know is empty, and noted."""
    template = (
        config_map("a", '{{ getHostByName "localhost" | quote }}')
        + "---\n"
        + config_map("b", '{{ lookup "v1" "Secret" "kube-system" "token" | toJson | quote }}')
    )

    rendered = renderer.render(chart_of(a=template), kind="helm", helm=HELM)

    assert [item["data"]["value"] for item in rendered.objects] == ["", "{}"]
    assert any("Secret kube-system/token" in note for note in rendered.notes)
    for function in ("env", "expandenv"):
        error = renderer.refuse(chart_of(a=f'a: {{{{ {function} "PATH" }}}}'), kind="helm", helm=HELM)
        assert "not defined" in error["detail"]


def test_templates_that_differ_at_every_rendering_are_named(renderer: Renderer) -> None:
    """Each rendering would apply another password; what is not used, or is a test, does not matter."""
    test = config_map("t", "{{ randAlphaNum 8 }}").replace(
        "{name: t}", "{name: t, annotations: {helm.sh/hook: test}}"
    )
    files = chart_of(
        a=config_map("a", "{{ randAlphaNum 8 | b64enc }}"),
        b=config_map("b", "{{ if randAlphaNum 8 }}x{{ end }}"),
        c=test,
    )

    rendered = renderer.render(files, kind="helm", helm=HELM)

    (note,) = rendered.notes
    assert note.startswith(
        "chart/templates/a.yaml gives another output at every rendering, through randAlphaNum."
    )


def test_an_ignored_file_is_no_part_of_the_chart(renderer: Renderer) -> None:
    """.helmignore counts, with folders and negations."""
    files = {
        **chart_of(a=config_map("a", "{{ .Files.Get `notes/secret.txt` | quote }}")),
        "chart/.helmignore": "notes/\n*.bak\n",
        "chart/notes/secret.txt": "hidden",
        "chart/templates/b.bak": "not: {{ a template",
    }

    rendered = renderer.render(files, kind="helm", helm=HELM)

    assert [item["data"]["value"] for item in rendered.objects] == [""]


def test_numbers_of_inline_values_are_printed_as_those_of_a_file(renderer: Renderer) -> None:
    """A big number from the spec is a float, as Helm reads it from values.yaml."""
    files = chart_of(a=config_map("a", "{{ .Values.big | quote }}"))

    inline = renderer.render(files, kind="helm", helm={**HELM, "values": {"big": 12345678}})
    from_file = renderer.render({**files, "chart/values.yaml": "big: 12345678\n"}, kind="helm", helm=HELM)

    assert inline.objects == from_file.objects
    assert inline.objects[0]["data"]["value"] == "1.2345678e+07"


@pytest.mark.parametrize(
    ("template", "kept"),
    [
        ('{{ fail "set a password" }}', "set a password"),
        ("{{ fail .Values.password }}", None),
        ('{{ fail (printf "not %s" .Values.password) }}', None),
        ("{{ include .Values.password . }}", None),
        ("a: {{ .Values.password | fromYaml | required `x` }}: b", None),
        ("{{ .Values.password.x }}", None),
        ("- {{ .Values.password }}: {{ .Values.password }}: x", None),
        ("{{ $_ := lookup `v1` `Secret` `` .Values.password }}{{ fail `looked` }}", "looked"),
    ],
)
def test_values_from_secrets_are_in_no_error(renderer: Renderer, template: str, kept: str | None) -> None:
    """What the chart's author wrote is told; what a template made of a value is not."""
    helm = {**HELM, "values": {"password": "hunter2"}}

    answer = renderer.ask(chart_of(a=template), kind="helm", helm=helm, private=True)

    assert "err" in answer
    assert "hunter2" not in str(answer)
    assert answer["err"]["detail"] == (kept or "")


def test_a_values_file_from_a_secret_is_private_by_its_name(renderer: Renderer) -> None:
    """The parent gives the key of a Secret beside the files of the repository."""
    name = "Secret shop, key values.yaml"
    files = {**chart_of(a="{{ fail .Values.password }}"), name: "password: hunter2\n"}

    error = renderer.refuse(files, kind="helm", helm={**HELM, "valuesFiles": [name]})
    broken = renderer.refuse(
        {**files, name: "hunter2: [\n"}, kind="helm", helm={**HELM, "valuesFiles": [name]}
    )

    assert (error["kind"], error["detail"]) == ("template", "")
    assert (broken["kind"], broken["file"], broken["detail"]) == ("invalid_values", name, "")


def test_values_from_secrets_are_in_no_note(renderer: Renderer) -> None:
    """The name of what is looked up may be a value."""
    template = config_map("a", "{{ lookup `v1` `Secret` `` .Values.password | toJson | quote }}")
    helm = {**HELM, "values": {"password": "hunter2"}}

    rendered = renderer.render(chart_of(a=template), kind="helm", helm=helm, private=True)

    assert len(rendered.notes) == 1
    assert "hunter2" not in rendered.notes[0]


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        (["v1", "apps/v1", "shop.test/v1"], "true false true"),
        (["shop.test/v1"], "true true true"),
        ([], "true true false"),
    ],
)
def test_a_chart_sees_what_the_cluster_serves(renderer: Renderer, versions: list[str], found: str) -> None:
    """Without a cluster it sees what Helm knows, and what the spec adds."""
    wanted = ("apps/v1", "policy/v1beta1", "shop.test/v1")
    checks = " ".join(f"{{{{ .Capabilities.APIVersions.Has `{version}` }}}}" for version in wanted)
    template = config_map("a", f'"{checks}"')

    rendered = renderer.render(chart_of(a=template), kind="helm", helm={**HELM, "apiVersions": versions})

    assert rendered.objects[0]["data"]["value"] == found


def test_all_definitions_of_a_file_are_applied(renderer: Renderer) -> None:
    """Those that were left out would be deleted at an upgrade."""
    kind = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    one = kind + "metadata: {name: %s.x.example}\n"
    files = {**chart_of(), "chart/crds/all.yaml": "---\n".join(one % name for name in "abc")}

    rendered = renderer.render(files, kind="helm", helm=HELM)

    assert [each["metadata"]["name"][0] for each in rendered.objects] == ["a", "b", "c"]


def test_encrypted_values_of_a_chart_are_no_values(renderer: Renderer) -> None:
    """Its templates would print the ciphertext."""
    files = {**chart_of(a="a: {{ .Values.stringData.password }}\n"), "chart/values.yaml": SECRET}

    error = renderer.refuse(files, kind="helm", helm=HELM)

    assert (error["kind"], error["file"]) == ("encrypted", "chart/values.yaml")


def test_values_of_a_secret_are_no_file_of_the_chart(renderer: Renderer) -> None:
    """Also where the chart is the root of the repository."""
    files = {path.removeprefix("chart/"): text for path, text in chart_of(a=FILES).items()}
    name = "Secret shop, key values.yaml"

    rendered = renderer.render(
        {**files, name: "password: hunter2\n"}, kind="helm", helm={**HELM, "chart": "", "valuesFiles": [name]}
    )

    assert "hunter2" not in str(rendered.objects)


@pytest.mark.parametrize(
    "template",
    [
        "a: {{ lookup `v1` `Secret` .Values.password `` | len }}\n",
        "a: {{ lookup `v1` .Values.password `x` `y` | len }}\n",
    ],
)
def test_a_note_tells_no_value_of_a_secret(renderer: Renderer, template: str) -> None:
    """Whatever the argument that it is in."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    name = "Secret shop, key values.yaml"
    files = {**chart_of(a=f"{head}data: {{b: c}}\n# {template}"), name: "password: hunter2\n"}

    rendered = renderer.render(files, kind="helm", helm={**HELM, "valuesFiles": [name]})

    assert rendered.notes
    assert "hunter2" not in str(rendered.notes)


def test_numbers_that_are_no_lengths_are_not_bounded(renderer: Renderer) -> None:
    """Only what makes a text or a list is."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    chart = chart_of(a=f"{head}data: {{port: '{{{{ randInt 1000000 9999999 }}}}'}}\n")

    (found,) = renderer.render(chart, kind="helm", helm=HELM).objects

    assert 1000000 <= int(found["data"]["port"]) <= 9999999
