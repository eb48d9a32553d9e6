"""docs/commands.md matches the commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from nopea.cli.main import SUBCOMMANDS, main

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
ELSEWHERE = {"run", "lab", "demo"}
"""Commands that have a page of their own."""

COMMON = {"--kubeconfig", "--context", "--namespace", "--help"}
FOR_PEOPLE = [name for name in SUBCOMMANDS if name not in ELSEWHERE]


def chapter(name: str) -> str:
    """Return the text below the command's heading."""
    chapters = re.split(r"\n## ", TEXT)[1:]
    return next(text for text in chapters if f"nopea {name}" in text.partition("\n")[0])


def test_every_command_is_in_the_list() -> None:
    """The list contains exactly the commands; those with a page of their own are mentioned."""
    listed = set(re.findall(r"^\| `nopea ([\w-]+)", TEXT, re.MULTILINE))

    assert listed == set(FOR_PEOPLE)
    assert all(f"`nopea {name}`" in TEXT for name in ELSEWHERE)


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_every_option_is_documented(name: str) -> None:
    """Each option is in the chapter of its command."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    text = chapter(name)

    options = {option.opts[-1]: option.opts for option in command.params if isinstance(option, click.Option)}
    assert [
        one for one, spelt in options.items() if one not in COMMON and not any(s in text for s in spelt)
    ] == []


@pytest.mark.parametrize("name", FOR_PEOPLE)
def test_every_exit_code_of_the_help_is_in_the_table(name: str) -> None:
    """The table contains the same numbers in the same order."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    promised = re.findall(r"[:,]\s+(\d)\s", (command.help or "").partition("Exit codes")[2])

    assert promised
    assert re.findall(r"^\| (\d) \|", chapter(name), re.MULTILINE) == promised


PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    """Each `nopea …` in the text has a name that exists, and only options that the command has."""
    wrong = []
    for line in re.findall(r"`((?:kubectl )?nopea [^`\n]+)`", page.read_text(encoding="utf-8")):
        name, *words = line.removeprefix("kubectl ").partition(" | ")[0].split()[1:]
        if name in ELSEWHERE or not re.fullmatch(r"[a-z][a-z-]*", name):
            continue
        command = main.get_command(click.Context(main), name) if name in SUBCOMMANDS else None
        options = (
            {spelt for option in command.params for spelt in option.opts + option.secondary_opts}
            if command
            else set()
        )
        given = {word.partition("=")[0].strip("[],.") for word in words if re.match(r"-{1,2}[a-zA-Z]", word)}
        if command is None or given - options - {"--help", "-h"}:
            wrong.append(line)

    assert wrong == []
