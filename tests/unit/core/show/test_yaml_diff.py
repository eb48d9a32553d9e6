"""Objects as lines of YAML, and their difference."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.show.yaml_diff import MOST_PRINTED, unified, yaml_lines

WEB: dict[str, Any] = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1", "tty": True}]
            }
        },
    },
}


def _map(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": data}


def _read(lines: list[str]) -> Any:
    return yaml.safe_load("".join(f"{line}\n" for line in lines))


def test_equal_objects_have_no_difference() -> None:
    """Whatever the order of their fields was: it is kept, so it is the same."""
    assert unified(WEB, WEB) == []


def test_a_hunk_names_the_fields_that_it_is_in() -> None:
    """Lines around the change do not reach the start of the object."""
    changed = copy.deepcopy(WEB)
    changed["spec"]["template"]["spec"]["containers"][1]["image"] = "b:2"

    assert unified(WEB, changed) == [
        "@@ -10,5 +10,5 @@ spec.template.spec.containers",
        "       - name: a",
        "         image: a:1",
        "       - name: b",
        "-        image: b:1",
        "+        image: b:2",
        "         tty: true",
    ]


def test_far_changes_are_hunks_of_their_own() -> None:
    """With three lines around each."""
    before = _map(**{f"k{number:02}": "x" for number in range(30)})
    after = _map(**{**before["data"], "k02": "y", "k25": "y"})

    hunks = [line for line in unified(before, after) if line.startswith("@@")]

    assert hunks == ["@@ -5,7 +5,7 @@ data", "@@ -28,7 +28,7 @@ data"]


def test_a_file_in_a_config_map_is_compared_by_lines() -> None:
    """Also where it has tabs, and spaces before a line break, which YAML writers quote otherwise."""
    before = _map(conf="server {\n\tlisten 80;  \n\treturn 200;\n}\n")
    after = _map(conf="server {\n\tlisten 80;  \n\treturn 204;\n}\n")

    lines = unified(before, after)

    assert [line for line in lines if line[0] in "+-"] == ["-    \treturn 200;", "+    \treturn 204;"]


def test_what_controls_a_terminal_is_escaped() -> None:
    """Colours, returns, and marks that turn the direction of a line."""
    lines = yaml_lines(_map(a="\x1b[31mred", b="one\r\ntwo", c="abc\u202edef", d="x\n\u2028y"))

    assert all(char.isprintable() for line in lines for char in line)


def test_more_than_is_printed_is_counted() -> None:
    """Nobody reads so many lines."""
    before = _map(conf="a\n" * (MOST_PRINTED + 1))
    after = _map(conf="b\n" * (MOST_PRINTED + 1))

    assert unified(before, after) == [f"@@ {MOST_PRINTED + 1} lines become {MOST_PRINTED + 1} lines @@"]


@pytest.mark.parametrize("text", ["", "\n", " \n", "\t\n", "a \n b\n", "- x\n", "a\n\n", "\n a", "no", "1"])
def test_the_lines_are_yaml(text: str) -> None:
    """They are read as the same object."""
    assert _read(yaml_lines(_map(a=text))) == _map(a=text)


@given(
    st.dictionaries(st.text("abc", min_size=1), st.text("ab \n\t-:#'\"{`", max_size=12), max_size=4),
    st.dictionaries(st.text("abc", min_size=1), st.text("ab \n\t-:#'\"{`", max_size=12), max_size=4),
)
def test_the_hunks_lead_from_one_object_to_the_other(one: dict[str, str], other: dict[str, str]) -> None:
    """Applied to the lines of the first as `patch` does, they give the lines of the second."""
    before, after = yaml_lines(_map(**one)), yaml_lines(_map(**other))

    hunks = unified(_map(**one), _map(**other))

    assert _patched(before, hunks) == after
    assert (hunks == []) == (before == after)
    assert _read(before) == _map(**one)


def _patched(lines: list[str], hunks: list[str]) -> list[str]:
    """Apply the hunks at the places that they name."""
    result: list[str] = []
    done = 0
    for hunk in hunks:
        mark, text = hunk[0], hunk[1:]
        if mark == "@":
            start, _, length = hunk.split()[1].removeprefix("-").partition(",")
            begin = int(start) - (length != "0")
            result += lines[done:begin]
            done = begin
            continue
        if mark != "+":
            assert lines[done] == text
            done += 1
        if mark != "-":
            result.append(text)
    return result + lines[done:]
