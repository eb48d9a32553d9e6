"""Charts render to the same objects as with `helm template`: written examples, and generated ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.renderer.child import Renderer

Files = Mapping[str, str]
HEAD = "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: '7'\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n%s\n"
SUBCHART = {
    "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n",
    "charts/db/values.yaml": "size: 1\nexports: {data: {fromdb: exported}}\n",
    "charts/db/templates/db.yaml": MAP
    % ("{{ .Release.Name }}-{{ .Chart.Name }}", "  size: {{ .Values.size | quote }}"),
}
EXAMPLES: dict[str, Files] = {
    "values and functions": {
        "Chart.yaml": HEAD,
        "values.yaml": "name: web\nlist: [b, a]\nmap: {y: 1, on: off}\nempty:\nbig: 12345678\nfloat: 1.50\n",
        "templates/_names.tpl": '{{- define "n" -}}{{ .Release.Name }}-{{ .Values.name }}{{- end -}}',
        "templates/all.yaml": MAP
        % (
            '{{ include "n" . }}',
            (
                '  list: {{ sortAlpha .Values.list | join "," | quote }}\n'
                "  map: {{ toJson .Values.map | quote }}\n  yaml: |\n{{ toYaml .Values.map | indent 4 }}\n"
                '  empty: {{ default "none" .Values.empty }}\n  big: {{ .Values.big | quote }}\n'
                '  float: {{ .Values.float | quote }}\n  hash: {{ sha256sum "a" }}\n'
                '  tpl: {{ tpl "{{ .Chart.AppVersion }}" . | quote }}\n'
                '  semver: {{ semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version | quote }}\n'
                '  api: {{ .Capabilities.APIVersions.Has "apps/v1" | quote }}\n'
                "  release: {{ toJson .Release | quote }}\n  base: {{ .Template.BasePath }}\n"
                '  lookup: {{ lookup "v1" "Secret" "a" "b" | toJson | quote }}'
            ),
        ),
        "templates/NOTES.txt": "{{ .Release.Name }}",
    },
    "files": {
        "Chart.yaml": HEAD,
        "files/a.txt": "one\ntwo\n",
        "files/ignored.bak": "no",
        ".helmignore": "*.bak\n",
        "templates/all.yaml": MAP
        % (
            "files",
            (
                '{{ (.Files.Glob "files/*").AsConfig | indent 2 }}\n'
                '  lines: {{ .Files.Lines "files/a.txt" | toJson | quote }}\n'
                '  secret: {{ (.Files.Glob "files/a*").AsSecrets | quote }}'
            ),
        ),
    },
    "subcharts": {
        "Chart.yaml": HEAD
        + "dependencies:\n- {name: db, version: 0.1.0, alias: first, import-values: [data]}\n"
        "- {name: db, version: 0.1.0, alias: second, condition: second.enabled, tags: [extra]}\n"
        "- {name: lib, version: 1.0.0}\n",
        "values.yaml": "first: {size: 2}\nsecond: {enabled: false}\n"
        "global: {region: eu}\ntags: {extra: true}\n",
        **SUBCHART,
        "charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
        "charts/lib/templates/_lib.tpl": '{{ define "lib.x" }}from the library{{ end }}',
        "templates/all.yaml": MAP
        % (
            "all",
            (
                '  x: {{ include "lib.x" . }}\n  imported: {{ .Values.fromdb }}\n'
                "  g: {{ .Values.global.region }}"
            ),
        ),
    },
    "hooks, definitions and odd separators": {
        "Chart.yaml": HEAD,
        "crds/coin.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: c.x}\n",
        "templates/hook.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations:\n"
        '    "helm.sh/hook": pre-install,post-upgrade\n    "helm.sh/hook-weight": "-5"\n',
        "templates/odd.yaml": "---\n# only a comment\n---\n"
        + MAP % ("a", "  a: b")
        + "---\n\n--- \n"
        + MAP % ("b", '  text: "a --- b"')
        + "{{ if false }}\n---\nkind: Nothing\n{{ end }}",
        "templates/tests/t.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n"
        "  annotations: {helm.sh/hook: test}\n",
        "templates/list.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n"
        "  metadata: {name: in-a-list}\n",
    },
}


def helm() -> Path:
    """Return the built helm: NOPEA_TEST_HELM, or beside the Python that runs the tests."""
    place = Path(os.environ.get("NOPEA_TEST_HELM") or Path(sys.executable).parent / "nopea-test-helm")
    if not place.exists():
        raise FileNotFoundError(f"{place} is not built; run `make test-programs` (needs Go 1.26)")
    return place


def templated(files: Files, values: Mapping[str, Any], *, home: Path) -> list[str] | None:
    """Return what `helm template` prints, one JSON text for each object, sorted; None for an error."""
    folder = Path(tempfile.mkdtemp(dir=home))
    for path, text in files.items():
        file = folder / "shop" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "given.yaml").write_text(json.dumps(values, ensure_ascii=False))
    done = subprocess.run(
        [helm(), "template", "eu", "shop", "--namespace=shops", "--values=given.yaml", "--include-crds",
         "--kube-version=1.36.0"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={"HOME": str(folder), "PATH": ""},
    )  # fmt: skip
    if done.returncode != 0:
        return None
    return sorted(_text(item) for each in yaml.safe_load_all(done.stdout) if each for item in _items(each))


def rendered(renderer: Renderer, files: Files, values: Mapping[str, Any]) -> list[str] | None:
    """Return the same of the renderer."""
    options = {
        "releaseName": "eu",
        "namespace": "shops",
        "values": dict(values),
        "includeCRDs": True,
        "kubeVersion": "v1.36.0",
        "chart": "shop",
    }
    contents = {f"shop/{path}": text for path, text in files.items()}
    answer = renderer.ask(contents, kind="helm", helm=options)
    if "err" in answer:
        return None
    return sorted(_text(json.loads(body)) for _, _, body in answer["ok"]["documents"])


def _items(manifest: Mapping[str, Any]) -> list[Any]:
    """Return the items of a List, which the renderer takes apart, or the object itself."""
    return list(manifest["items"]) if manifest["kind"] == "List" else [manifest]


def _text(manifest: Any) -> str:
    return json.dumps(manifest, sort_keys=True, default=str)


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_examples(renderer: Renderer, tmp_path: Path, name: str) -> None:
    """What charts use most."""
    wanted = templated(EXAMPLES[name], {}, home=tmp_path)

    assert wanted
    assert rendered(renderer, EXAMPLES[name], {}) == wanted


WORDS = st.text(alphabet="abcxyz-019", min_size=1, max_size=6)
# What YAML, in which helm reads its values, allows in a text.
TEXTS = st.text(alphabet=st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=8)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**40), 2**40), TEXTS, st.none(), WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
USES = st.sampled_from(
    [
        "  {k}: {{{{ .Values.{k} | toJson | quote }}}}",
        "  {k}: {{{{ .Values.{k} | toYaml | b64enc }}}}",
        '  {k}: {{{{ default "d" .Values.{k} | toString | quote }}}}',
        "{{{{- with .Values.{k} }}}}\n  {k}: {{{{ . | toJson | squote }}}}\n{{{{- end }}}}",
        "{{{{- if .Values.{k} }}}}\n  {k}: {{{{ kindOf .Values.{k} }}}}\n{{{{- end }}}}",
        '  {k}: {{{{ printf "%v" .Values.{k} | trunc 20 | quote }}}}',
        "  {k}: {{{{ .Values.{k}.x }}}}",
        '  {k}: {{{{ required "needed" .Values.{k} | toJson | quote }}}}',
    ]
)
KEYS = ("a", "b", "c")


@given(
    own=st.fixed_dictionaries(dict.fromkeys(KEYS, VALUES)),
    over=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
    uses=st.tuples(USES, USES, USES),
    with_subchart=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_generated_charts(
    renderer: Renderer,
    tmp_path_factory: pytest.TempPathFactory,
    own: dict[str, Any],
    over: dict[str, Any],
    uses: tuple[str, ...],
    with_subchart: bool,
) -> None:
    """Both refuse a chart, or both render it to the same objects."""
    lines = "\n".join(use.format(k=key) for use, key in zip(uses, KEYS, strict=True))
    files: dict[str, str] = {
        "Chart.yaml": HEAD,
        "values.yaml": json.dumps(own, ensure_ascii=False),
        "templates/all.yaml": MAP % ("{{ .Release.Name }}", f"  z: z\n{lines}"),
        **(SUBCHART if with_subchart else {}),
    }

    assert rendered(renderer, files, over) == templated(files, over, home=tmp_path_factory.mktemp("oracle"))


def test_the_oracle_is_of_the_renderers_version() -> None:
    """Both are built with the same library."""
    root = Path(__file__).parents[2]
    versions = {
        line.split()[1]
        for file in ("renderer/go.mod", "tests/programs/go.mod")
        for line in (root / file).read_text().splitlines()
        if line.strip().startswith("helm.sh/helm/v4 ")
    }

    assert len(versions) == 1
