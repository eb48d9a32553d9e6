"""What all commands print in the same way."""

from __future__ import annotations

import click
import pytest

from nopea.cli.output.messages import (
    PLUGIN,
    print_document,
    print_error,
    print_hint,
    print_json,
    print_problem,
    terminal_width,
    wrapped,
)
from nopea.core.problem import Code, Problem

PROBLEM = Problem(
    code=Code.INVALID, message="It is wrong.", hint="Fix it.", source="web.yaml#1", object="ConfigMap a/b"
)


def test_an_error_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A hint is printed on a line of its own, if there is one."""
    print_error("It failed.", "Try again.")
    print_error("It failed.")
    print_hint("Wait.")

    assert capsys.readouterr() == ("", "✗ It failed.\n→ Try again.\n✗ It failed.\n→ Wait.\n")


@pytest.mark.parametrize(
    ("program", "shown"), [("nopea", "`nopea why x`"), (PLUGIN, "`kubectl nopea why x`")]
)
def test_advice_names_the_program_that_people_have(
    capsys: pytest.CaptureFixture[str], program: str, shown: str
) -> None:
    """Who has the plugin for kubectl may not have the program `nopea`."""
    with click.Context(click.Command("main"), info_name=program).scope():
        print_error("See `nopea why x`.", "Run `nopea why x`.")
        click.echo("".join(wrapped("Run `nopea why x`.", width=40, first="  ")))

    assert capsys.readouterr() == (f"  Run {shown}.\n", f"✗ See {shown}.\n→ Run {shown}.\n")


def test_a_problem_has_its_code_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    """The line contains code, file and object; a given hint replaces the problem's hint."""
    print_problem(PROBLEM)
    print_problem(PROBLEM, hint="Wait.")

    line = "✗ NOPEA-K003 web.yaml#1 ConfigMap a/b: It is wrong.\n"
    assert capsys.readouterr().err == f"{line}→ Fix it.\n{line}→ Wait.\n"


def test_a_problem_without_a_place_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Without file and object, the code is followed by the message."""
    print_problem(Problem(code=Code.INVALID, message="It is wrong.", hint="Fix it."))

    assert capsys.readouterr().err.startswith("✗ NOPEA-K003: It is wrong.\n")


def test_json_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is printed indented on standard output."""
    print_json({"a": 1})

    assert capsys.readouterr() == ('{\n  "a": 1\n}\n', "")


def test_a_text_is_wrapped_between_words() -> None:
    """A command in backticks stays whole, so that it can be copied."""
    text = "Something is wrong here; `nopea sync api -n shop` tries now."

    assert list(wrapped(text, width=40, first="→ ", indent="  ")) == [
        "→ Something is wrong here;",
        "  `nopea sync api -n shop` tries now.",
    ]
    assert list(wrapped(text, width=None, first="→ ")) == [f"→ {text}"]


def test_what_is_longer_than_the_terminal_is_not_broken() -> None:
    """A name, or a command that does not fit on a line."""
    command = f"`nopea sync {'x ' * 40}`"

    assert list(wrapped("x" * 60, width=30)) == ["x" * 60]
    assert len(list(wrapped(command, width=40))) > 1


@pytest.mark.parametrize(("output", "text"), [("json", '{\n  "a": 1\n}\n'), ("yaml", "a: 1\n")])
def test_a_document_is_printed(output: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the format that is asked for."""
    print_document({"a": 1}, output)

    assert capsys.readouterr().out == text


def test_a_pipe_has_no_width() -> None:
    """So nothing is cut for the program that reads it."""
    assert terminal_width() is None
