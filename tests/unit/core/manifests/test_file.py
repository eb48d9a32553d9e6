"""How the bytes of a file become objects and problems, whatever the bytes are."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.git.source import ParsedFile
from nopea.core.manifests.file import parse_file
from nopea.core.manifests.yaml.budget import YamlLimits
from nopea.core.problem import Code

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"
FRAGMENTS = st.sampled_from(
    [
        "apiVersion: v1\n", "kind: ConfigMap\n", "kind: List\n", "metadata:\n", " name: a\n", "items:\n",
        "- ", "a: ", "&a ", "*a ", "<<: ", "[", "]", "{", "}", ",", ": ", "? ", "|\n", ">\n", "'", '"',
        "\\u", "---\n", "...\n", "# c\n", "!!int ", "!", "%YAML", "\t", "\r\n", "\ufeff", "\u2028", ".inf",
        "1e400", "null", "\x07", "{{ x }}", '{"a": 1}', "\n", " ", " ", "é",
    ]
)  # fmt: skip
SMALL = YamlLimits(file_bytes=2_000, object_bytes=200, documents=5, nodes=100, depth=5, problems=5)


def names(parsed: ParsedFile) -> list[str]:
    """Return the names of the objects."""
    return [orjson.loads(document.body)["metadata"]["name"] for document in parsed.documents]


def codes(parsed: ParsedFile) -> list[tuple[Code, str]]:
    """Return the codes and sources of the problems."""
    return [(problem.code, problem.source) for problem in parsed.problems]


def test_objects_come_in_order_with_index_line_and_compact_json() -> None:
    """A document has its index and line in the file, and its body is compact JSON."""
    parsed = parse_file(f"# shop\n{CONFIG.format(name='a')}---\n---\n\n{CONFIG.format(name='b')}".encode())
    assert [(document.index, document.line) for document in parsed.documents] == [("1", 2), ("3", 9)]
    assert parsed.documents[0].body == b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'
    assert parsed.problems == ()


def test_an_error_hides_neither_objects_nor_other_errors() -> None:
    """Objects before, between and after invalid documents are read, and every error is reported."""
    parts = [CONFIG.format(name="a"), "a: [1\nb: 2\n", CONFIG.format(name="c"), "a: 1\na: 2\n", "kind: X\n"]
    parsed = parse_file("---\n".join(parts).encode())
    assert names(parsed) == ["a", "c"]
    assert codes(parsed) == [
        (Code.YAML_SYNTAX, ":7"),
        (Code.YAML_DUPLICATE_KEY, ":15"),
        (Code.NOT_AN_OBJECT, ":17"),
    ]


def test_an_invalid_separator_is_reported_and_separates() -> None:
    """The documents before and after an invalid separator are read."""
    parsed = parse_file(f"{CONFIG.format(name='a')}---foo\n{CONFIG.format(name='b')}".encode())
    assert names(parsed) == ["a", "b"]
    assert codes(parsed) == [(Code.YAML_SYNTAX, ":5")]


def test_lists_unfold_with_the_lines_of_their_items() -> None:
    """The items of a typed list inherit its type; the index contains list and position."""
    head = "apiVersion: v1\nkind: ConfigMapList\nitems:\n"
    parsed = parse_file(
        f"{head}- metadata: {{name: a}}\n- metadata:\n    name: b\n- metadata: {{}}\n".encode()
    )
    assert [(document.index, document.line) for document in parsed.documents] == [("1[0]", 4), ("1[1]", 5)]
    assert codes(parsed) == [(Code.OBJECT_METADATA, ":7")]


def test_a_json_file_is_a_stream_of_objects() -> None:
    """Two JSON objects without a separator are two documents."""
    body = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "%s"}}\n'
    parsed = parse_file(f"  {body % 'a'}{body % 'b'}".encode())
    assert names(parsed) == ["a", "b"]
    assert [document.line for document in parsed.documents] == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings_with_a_mark_are_read(encoding: str) -> None:
    """A file may be UTF-8 with or without a byte order mark, or UTF-16 with one."""
    assert names(parse_file(CONFIG.format(name="ä").encode(encoding))) == ["ä"]


@pytest.mark.parametrize(
    ("raw", "code", "source"),
    [
        (b"", Code.NO_OBJECT_IN_FILE, ""),
        (b"  \n\n", Code.NO_OBJECT_IN_FILE, ""),
        (b"# nothing\n---\n", Code.NO_OBJECT_IN_FILE, ""),
        (b"null\n", Code.NO_OBJECT_IN_FILE, ""),
        (b"replicas: 1\n", Code.NO_OBJECT_IN_FILE, ":1"),
        (b"- a\n", Code.NO_OBJECT_IN_FILE, ":1"),
        (b"# values\n\nimage: web\n---\nport: 1\n", Code.NO_OBJECT_IN_FILE, ":3"),
        (b"apiVersion: v1\nkind: List\nitems: []\n", Code.NO_OBJECT_IN_FILE, ""),
        (b'{"a": 1}', Code.NO_OBJECT_IN_FILE, ":1"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", Code.LFS_POINTER, ""),
        (b"a: 1\nb: \xff\n", Code.ENCODING, ":2"),
        (b"\xff\xfea", Code.ENCODING, ":1"),
        (b"a" * 2_001, Code.YAML_LIMIT, ""),
        (b"[" * 1_000, Code.YAML_LIMIT, ":1"),
        (b"---\n" * 10, Code.YAML_LIMIT, ":7"),
    ],
)
def test_a_file_without_objects_has_one_problem(raw: bytes, code: Code, source: str) -> None:
    """A file without objects has exactly one problem with a hint, whatever the reason."""
    parsed = parse_file(raw, limits=SMALL)
    assert parsed.documents == ()
    assert codes(parsed) == [(code, source)]
    assert parsed.problems[0].hint


def test_another_document_among_objects_is_a_problem() -> None:
    """If a file contains objects, a document that is not an object is a problem of its own."""
    parsed = parse_file(f"{CONFIG.format(name='a')}---\nreplicas: 1\n".encode())
    assert names(parsed) == ["a"]
    assert codes(parsed) == [(Code.NOT_AN_OBJECT, ":6")]


def test_an_object_that_is_too_big_leaves_the_others() -> None:
    """The limit of the API server applies to each object, so the others are read."""
    big = f"{CONFIG.format(name='b')}data: {{a: {'x' * 500}}}\n"
    parsed = parse_file(
        "---\n".join([CONFIG.format(name="a"), big, CONFIG.format(name="c")]).encode(), limits=SMALL
    )
    assert names(parsed) == ["a", "c"]
    assert codes(parsed) == [(Code.YAML_LIMIT, ":6")]


def test_problems_are_bounded_and_the_rest_is_counted() -> None:
    """The last problem says how many problems are omitted."""
    parsed = parse_file("---\n".join(["kind: X\n"] * 5).encode(), limits=YamlLimits(problems=3))
    assert len(parsed.problems) == 4
    assert parsed.problems[-1].message.startswith("2 more problems")


def test_problems_never_show_values() -> None:
    """A value may be a secret, so no problem shows it."""
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n"
    for wrong in (
        "  a: !!int hunter2\n  b: .inf\n",
        "  a: hunter2\n  b: 4711\n",
        "  a: hunter2: x\n",
        "  a: [hunter2\n",
    ):
        parsed = parse_file(f"{head}{wrong}".encode())
        assert parsed.problems
        assert "hunter2" not in str(parsed.problems)
        assert "4711" not in str(parsed.problems)


def test_deeply_nested_files_do_not_crash_the_process() -> None:
    """A 30 kB file that crashes libyaml's composer is an ordinary problem, and so is a 3 MB one."""
    program = (
        "from nopea.core.manifests.file import parse_file\n"
        "brackets = (b'[' * 30000, b'[' * 3000000, b'a: ' + b'{b: ' * 30000, b'- ' * 99999)\n"
        "for raw in (*brackets, b'{\"a\": ' + b'[' * 100000):\n"
        "    print(parse_file(raw).problems[0].code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == [Code.YAML_LIMIT] * 5


def assert_within(parsed: ParsedFile, limits: YamlLimits) -> None:
    """Check what holds for every parsed file."""
    assert parsed.documents or parsed.problems
    assert len(parsed.problems) <= limits.problems + 1
    assert all(problem.message and problem.hint for problem in parsed.problems)
    for document in parsed.documents:
        assert len(document.body) <= limits.object_bytes
        assert orjson.dumps(orjson.loads(document.body)) == document.body


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_a_result(raw: bytes) -> None:
    """Any bytes give objects or problems within the limits."""
    assert_within(parse_file(raw, limits=SMALL), SMALL)


@settings(max_examples=500, deadline=None)
@given(st.lists(FRAGMENTS, max_size=40))
def test_any_mixture_of_yaml_has_a_result(fragments: list[str]) -> None:
    """Any sequence of YAML tokens gives objects or problems within the limits."""
    assert_within(parse_file("".join(fragments).encode(), limits=SMALL), SMALL)


def test_an_unquoted_boolean_in_a_list_has_its_own_line() -> None:
    """The problem has the line of the item's name, even in the second document of the file."""
    text = (
        "# first\n---\napiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n"
        "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: no\n"
    )
    (problem,) = parse_file(text.encode()).problems
    assert problem.message == "metadata.name: `no` means false in YAML."
    assert problem.source == ":10"


def test_a_helm_template_is_recognized() -> None:
    """To YAML the template is a mapping as a key; the message says that it is a Helm template."""
    text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n"
    (problem,) = parse_file(text.encode()).problems
    assert problem.message.startswith("The file is a Helm template.")
    assert problem.source == ":4"
