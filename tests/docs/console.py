"""Run the console blocks of a page as a reader does, and compare what they print with what the page shows."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_BLOCK = re.compile(
    r'^```console(?: title="(?P<terminal>[^"]+)")?\n(?P<body>.*?)^```', re.MULTILINE | re.DOTALL
)
_REPEATABLE = re.compile(r"(nopea (get|status|why|tree|events|history|diff|plan)|kubectl (-n \S+ )?get)\b")
_VARIES = [
    (re.compile(r"\b(ReplicaSet|Pod) [a-z0-9-]+"), r"\1 NAME"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b"), "ID"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|m|h)(?![A-Za-z])(\d+s)?"), "AGE"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"(?<=controller )\S+(?= runs)"), "POD"),
    (re.compile(r"(after|in) \d+ (failed attempts|deletions)"), r"\1 N \2"),
    (re.compile(r"(?<= )/\S+"), "PATH"),
    (re.compile(r"\s+"), " "),
]
ELLIPSIS = "…"
_SECONDS = 90.0
_REPEAT_SECONDS = 30.0
_END = "\x1e"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, its terminal, and the lines that the page shows after it."""

    terminal: str
    command: str
    shown: list[str] = field(default_factory=list)


def steps_of(page: str) -> list[Step]:
    """Return the commands of a page's console blocks, in order.

    A line with `$ ` starts a command and one with `> ` continues it; every other line is output.
    """
    steps: list[Step] = []
    for block in _BLOCK.finditer(page):
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                steps.append(Step(block["terminal"] or "", line[2:]))
            elif line.startswith(">") and not steps[-1].shown:
                steps[-1] = Step(steps[-1].terminal, f"{steps[-1].command}\n{line[2:]}")
            else:
                steps[-1].shown.append(line)
    return steps


def agrees(shown: list[str], printed: str) -> bool:
    """Return whether the lines shown are those printed; ids, times, ages and the width of columns may differ.

    A line that is only an ellipsis stands for any number of lines. Lines that begin with one show
    progress: on a terminal they are gone when the command ends.
    """
    kept = [line for line in printed.splitlines() if not line.startswith(f"{ELLIPSIS} ")]
    pattern = "".join(
        r"(.*\n)*" if line.strip() == ELLIPSIS else re.escape(_plain(line)) + "\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{_plain(line)}\n" for line in kept)) is not None


def _plain(line: str) -> str:
    for pattern, name in _VARIES:
        line = pattern.sub(name, line)
    return line.strip()


class Terminal:
    """A shell that keeps its variables and folder between commands, in a process group of its own."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(self, *unused: object) -> None:
        """End the shell and what runs in it, as closing a window does after Ctrl-C."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self._shell.poll() is None:
                os.killpg(self._shell.pid, number)
            try:
                self._shell.communicate(timeout=30)
                break
            except subprocess.TimeoutExpired:
                continue

    def start(self, command: str) -> None:
        """Type a command that runs until Ctrl-C."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"exec {command}\n".encode())
        self._shell.stdin.flush()

    def run(self, step: Step) -> str | None:
        """Type a command; return what is wrong with what it prints.

        One that only reads is repeated until it agrees.
        """
        give_up_at = time.monotonic() + _REPEAT_SECONDS
        while True:
            code, printed = self._once(step.command)
            if agrees(step.shown, printed) if step.shown else code == 0:
                return None
            if not _REPEATABLE.match(step.command) or time.monotonic() > give_up_at:
                shown = "\n".join(step.shown)
                return f"$ {step.command}\nexit code {code}, prints:\n{printed}\nthe page shows:\n{shown}"
            time.sleep(0.3)

    def _once(self, command: str) -> tuple[int, str]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\nprintf '{_END}%s{_END}' $?\n".encode())
        self._shell.stdin.flush()
        give_up_at = time.monotonic() + _SECONDS
        printed = b""
        while (end := re.search(f"{_END}(\\d+){_END}".encode(), printed)) is None:
            left = give_up_at - time.monotonic()
            assert left > 0, f"no end after {_SECONDS:.0f} s: {command}\n{printed.decode()}"
            if select.select([self._shell.stdout], [], [], left)[0]:
                printed += os.read(self._shell.stdout.fileno(), 65536)
        return int(end[1]), printed[: end.start()].decode()
