"""The list of files that a process can open, tried in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nopea.git import landlock


def run(code: str, *arguments: Path) -> list[str]:
    """Run the code in a new interpreter, with a function that says how an attempt ends; return its lines."""
    if not landlock.abi():
        pytest.skip("this kernel has no Landlock")
    outcome = """
        import os, sys, threading
        from pathlib import Path
        from nopea.git import landlock
        folder, other = map(Path, sys.argv[1:])
        def say(attempt):
            try:
                attempt()
            except OSError as error:
                print(error.strerror, flush=True)
            else:
                print("done", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(outcome) + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with a file."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path / "mine", tmp_path / "other"


def test_only_its_own_folder_can_be_changed(folders: tuple[Path, Path]) -> None:
    """Below the exclusive folder everything is allowed but links, pipes and devices."""
    code = """
        landlock.restrict(readable=[], exclusive=folder)
        say((folder / "file").read_text)
        say(lambda: (folder / "file").write_text("changed"))
        say((folder / "new").mkdir)
        say(lambda: (folder / "file").rename(folder / "new" / "file"))
        say((folder / "new" / "file").unlink)
        say(lambda: (folder / "link").symlink_to("new"))
        say(lambda: os.mkfifo(folder / "pipe"))
        say((other / "file").read_text)
        say(lambda: (other / "new").write_text(""))
        say(lambda: [*other.iterdir()])
    """
    denied = "Permission denied"

    assert run(code, *folders) == [*["done"] * 5, *[denied] * 5]


def test_readable_files_and_folders_can_only_be_read(folders: tuple[Path, Path]) -> None:
    """A single file can be allowed; a path that does not exist is skipped."""
    code = """
        (other / "second").write_text("")
        landlock.restrict(readable=[other / "file", other / "missing"], exclusive=folder)
        say((other / "file").read_text)
        say(lambda: (other / "file").write_text(""))
        say((other / "file").unlink)
        say((other / "second").read_text)
    """
    denied = "Permission denied"

    assert run(code, *folders) == ["done", denied, denied, denied]


def test_threads_are_restricted_and_open_files_stay_open(folders: tuple[Path, Path]) -> None:
    """The restriction holds for threads that start later."""
    code = """
        opened = (other / "file").open()
        landlock.restrict(readable=[], exclusive=folder)
        thread = threading.Thread(target=say, args=[(other / "file").read_text])
        thread.start()
        thread.join()
        print(opened.read())
    """
    assert run(code, *folders) == ["Permission denied", "other"]


def test_a_kernel_without_landlock_restricts_nothing(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is told, and goes on."""
    monkeypatch.setattr(landlock, "abi", lambda: 0)

    assert landlock.restrict(readable=[], exclusive=folders[0]) == 0
    assert (folders[1] / "file").read_text() == "other"


@pytest.mark.parametrize("abi", [1, 2, 3, 4, 5, 6])
def test_rules_of_older_kernels_are_accepted(folders: tuple[Path, Path], abi: int) -> None:
    """An older kernel refuses rules with rights that it does not know, so they depend on its version."""
    if landlock.abi() < abi:
        pytest.skip("this kernel's Landlock is older")
    code = f"""
        landlock.abi = lambda: {abi}
        print(landlock.restrict(readable=[other / "file"], exclusive=folder))
        say(lambda: (folder / "new").write_text(""))
        say(lambda: (other / "new").write_text(""))
    """
    assert run(code, *folders) == [str(abi), "done", "Permission denied"]
