"""A plan as a comment on a pull request."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.output.inspections import GUARD, manifest, planned

from nopea.core.drift.three_way import Side
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Code, Problem
from nopea.core.show.markdown import LIMIT, MOST_COMPARED, fenced, markdown

INVALID = Problem(
    code=Code.INVALID, message=".spec.replica is unknown.", hint="Correct it.", source="web.yaml#1"
)


def _comment(*objects: ObjectDiff, problems: tuple[Problem, ...] = ()) -> str:
    return markdown(Inspection(objects=objects, problems=problems), title="GitRepository shop/web at 1f0c2a9")


def _blocks(text: str) -> list[str]:
    """Return the content of the code blocks by the rules of CommonMark; each must be closed."""
    found: list[str] = []
    fence = ""
    for line in text.split("\n"):
        marks = re.fullmatch(r" {0,3}(`{3,})([^`]*)", line)
        if not fence and marks:
            fence = marks[1]
            found.append("")
        elif fence and marks and len(marks[1]) >= len(fence) and not marks[2].strip():
            fence = ""
        elif fence:
            found[-1] += f"{line}\n"
    assert not fence, "the last code block is open"
    return found


def test_the_comment_of_a_plan() -> None:
    """The counts, what is refused, then a section for each object."""
    text = _comment(
        planned(Action.CREATE, "new", after=manifest("new", a="1"), source="new.yaml#1"),
        planned(Action.APPLY, before=manifest(a="1"), after=manifest(a="2"), source="web.yaml#1"),
        planned(Action.PRUNE, "old"),
        planned(Action.REFUSE, "bad", problem=INVALID, source="bad.yaml#1"),
        planned(Action.LEAVE, "same", reason=Reason.UNCHANGED),
        problems=(INVALID,),
    )

    assert text.split("\n") == [
        "### Nopea plan: 1 to create, 1 to change, 1 to delete, 1 refused, 1 unchanged",
        "",
        "<p><code>GitRepository shop/web at 1f0c2a9</code></p>",
        "",
        (
            "<details open><summary>❌ refused: <code>ConfigMap shop/bad</code> rejected by the API server "
            "(<code>bad.yaml#1</code>)</summary>"
        ),
        "",
        "```text",
        "NOPEA-K003: .spec.replica is unknown.",
        "→ Correct it.",
        "```",
        "",
        "</details>",
        "",
        "<p>🗑️ delete: <code>ConfigMap shop/old</code> gone from Git</p>",
        "",
        (
            "<details><summary>✏️ change: <code>ConfigMap shop/web</code> git change "
            "(<code>web.yaml#1</code>)</summary>"
        ),
        "",
        "```diff",
        "@@ -4,4 +4,4 @@ data",
        "   name: web",
        "   namespace: shop",
        " data:",
        '-  a: "1"',
        '+  a: "2"',
        "```",
        "",
        "</details>",
        "",
        (
            "<details><summary>🆕 create: <code>ConfigMap shop/new</code> not there "
            "(<code>new.yaml#1</code>)</summary>"
        ),
        "",
        "```diff",
        "+apiVersion: v1",
        "+kind: ConfigMap",
        "+metadata:",
        "+  name: new",
        "+  namespace: shop",
        "+data:",
        '+  a: "1"',
        "```",
        "",
        "</details>",
        "",
    ]


def test_a_message_of_several_objects_is_there_once() -> None:
    """Six deletions that the guard holds back are one section."""
    held = [
        planned(Action.REFUSE, f"m{number}", reason=Reason.PRUNE_REFUSED, problem=GUARD)
        for number in range(6)
    ]

    text = _comment(*held, problems=(GUARD,))

    assert text.count("Too many.") == 1
    assert all(f"ConfigMap shop/m{number}" in text for number in range(6))


def test_a_problem_of_a_file_has_a_section() -> None:
    """It belongs to no object."""
    text = _comment(problems=(INVALID,))

    assert text.startswith("### Nopea plan: nothing can be planned, 1 other problem\n")
    assert ".spec.replica is unknown." in _blocks(text)[0]


def test_no_value_of_a_secret_is_in_it() -> None:
    """Changed values still differ."""
    old, new = (base64.b64encode(value).decode() for value in (b"hunter2", b"hunter3"))
    text = _comment(
        planned(
            Action.APPLY,
            before=manifest(kind="Secret", key=old, same=old),
            after=manifest(kind="Secret", key=new, same=old),
        )
    )

    assert old not in text
    assert new not in text
    assert "-  key: '*** (before)'\n+  key: '*** (after)'" in text


def test_names_cannot_bring_markup() -> None:
    """The name of a file is what its author likes."""
    source = "</code></details>\n\n<img src=x> @everyone `x` **b**.yaml#1"
    text = _comment(planned(Action.CREATE, after=manifest(), source=source))

    assert "<img" not in text
    assert text.count("</details>") == 1
    assert "&lt;/code&gt;&lt;/details&gt; &lt;img src=x&gt; @everyone" in text


def test_objects_that_do_not_fit_are_counted() -> None:
    """Those that are refused come first, and so are there."""
    objects = [
        planned(Action.CREATE, f"m{number}", after=manifest(f"m{number}", a="x" * 5000))
        for number in range(40)
    ]
    objects.append(planned(Action.REFUSE, "bad", problem=INVALID))

    text = _comment(*objects)

    (left,) = re.findall(r"(?m)^(\d+) objects left out: a comment holds at most 65,536 characters\.$", text)
    assert text.count("<details") == 41 - int(left)
    assert "ConfigMap shop/bad" in text
    assert len(text) <= LIMIT


def test_only_so_much_is_compared() -> None:
    """A comparison takes time, and holds more than a comment does; the objects are still there."""
    body = b"x" * (MOST_COMPARED // 2 + 1)
    objects = []
    for number in range(2):
        one = planned(Action.APPLY, f"m{number}", before=manifest(a="1"), after=manifest(a="2"), source="a")
        assert one.step.desired is not None
        objects.append(replace(one, step=replace(one.step, desired=replace(one.step.desired, body=body))))

    text = _comment(*objects)

    assert text.startswith("### Nopea plan: 2 to change\n")
    assert text.count('+  a: "2"') == 1
    assert "change: <code>ConfigMap shop/m1</code>" in text
    assert text.count("not shown: the plan changes more than 2 MiB of objects") == 1


def test_a_huge_object_is_cut() -> None:
    """With the number of the lines that are not shown."""
    data = {f"key{number}": "x" * 50 for number in range(3000)}

    text = _comment(planned(Action.CREATE, after=manifest(**data)))

    assert re.search(r"^\(\d+ more lines\)$", text, re.MULTILINE)
    assert len(text) < 25_000


@given(st.lists(st.text(max_size=40), max_size=8))
def test_nothing_leaves_a_code_block(lines: list[str]) -> None:
    """Whatever the lines are; each stays one line."""
    (block,) = _blocks(fenced(lines, "diff"))

    assert block.count("\n") == len(lines)


TEXT = st.text("ab`~<>/|*_@#\n\r\t \u2028\x1b", max_size=60)


@given(
    st.lists(
        st.tuples(st.sampled_from(Action), TEXT, TEXT, st.sampled_from([1, 1, 1, 900, 2_000])), max_size=12
    )
)
def test_any_plan_is_a_valid_comment_of_bounded_length(plan: list[tuple[Action, str, str, int]]) -> None:
    """Code blocks are closed, sections too, and it is never longer than GitHub accepts."""
    objects = []
    for number, (action, text, other, times) in enumerate(plan):
        problem = Problem(code=Code.INVALID, message=text * min(times, 30), hint=other)
        objects.append(
            planned(
                action,
                f"m{number}",
                before=manifest(a=other) if action is Action.APPLY else None,
                after=manifest(a=text * times) if action in (Action.APPLY, Action.CREATE) else None,
                source=text,
                problem=problem if action is Action.REFUSE else None,
                unchecked=other,
            )
        )

    text = _comment(*objects)

    assert len(text) <= LIMIT
    outside = text
    for block in _blocks(text):
        outside = outside.replace(block, "", 1)
    assert outside.count("<details") == outside.count("</details>")


def test_a_comment_has_no_value_that_looks_like_a_secret() -> None:
    """Everybody reads a comment; a changed value still shows as changed, and other values are there."""
    before = manifest(password="Winter2026!", colour="blue")
    after = manifest(password="Spring2027!", colour="green", conf="db_password=hunter2-spring\nlisten=80")
    field = FieldDiff(
        path=".data.password", keys=("f:data", "f:password"), last=None, git="Spring2027!",
        live="Winter2026!", side=Side.BOTH, manager="kubectl",
    )  # fmt: skip

    text = _comment(planned(Action.APPLY, before=before, after=after, fields=(field,), source="web.yaml#1"))

    for value in ("Winter2026", "Spring2027", "hunter2"):
        assert value not in text
    for line in ("-  colour: blue", "+  colour: green", "-  password: '*** (before)'", ".data.password: ***"):
        assert line in text
    assert "listen=80" in text
