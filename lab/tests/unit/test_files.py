"""Files are written whole, privately, and locked."""

from __future__ import annotations

import shutil
import stat
import threading
from pathlib import Path

import pytest

from nopea_lab.errors import LabError
from nopea_lab.files import locked, make_private_folder, write_private


def test_a_written_file_is_private_and_alone(tmp_path: Path) -> None:
    """Mode 0600 in a folder of 0700, and no temporary file beside it."""
    folder = make_private_folder(tmp_path / "a" / "b")

    write_private(folder / "key", "old")
    write_private(folder / "key", "new")

    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("key", "new")]
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A text that cannot be encoded changes nothing."""
    write_private(tmp_path / "key", "old")

    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "key", "\ud800")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("key", "old")]


def test_a_lock_has_a_deadline(tmp_path: Path) -> None:
    """The second holder is told once that it waits, then gets an error that names the file."""
    told: list[str] = []

    with locked(tmp_path / "lock", deadline_seconds=0), pytest.raises(LabError, match="lock"):  # noqa: SIM117
        with locked(tmp_path / "lock", deadline_seconds=0, on_wait=lambda: told.append("waiting")):
            pytest.fail("held twice")

    assert told == ["waiting"]
    with locked(tmp_path / "lock", deadline_seconds=0):
        pass


def test_a_lock_outlives_the_removal_of_its_folder(tmp_path: Path) -> None:
    """Who waited for a lab that was removed meanwhile does not hold a lock on nothing."""
    folder = tmp_path / "lab"
    waiting, held = threading.Event(), threading.Event()

    def wait() -> None:
        with locked(folder / "lock", deadline_seconds=10, on_wait=waiting.set):
            held.set()
            assert (folder / "lock").exists()

    waiter = threading.Thread(target=wait)
    with locked(folder / "lock", deadline_seconds=0):
        waiter.start()
        assert waiting.wait(5)
        shutil.rmtree(folder)
    waiter.join()

    assert held.is_set()
