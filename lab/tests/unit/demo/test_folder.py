"""The demo's folder: whose it is, who may use it, what is left in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea_lab.demo.folder import DemoFolder, default_folder
from nopea_lab.errors import LabError


def test_the_default_is_beside_the_users_own_lab() -> None:
    """XDG_STATE_HOME counts when it is absolute."""
    assert default_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/nopea/demo")
    assert default_folder({"XDG_STATE_HOME": "here"}) == Path.home() / ".local/state/nopea/demo"
    assert default_folder({}) == Path.home() / ".local/state/nopea/demo"


def test_a_new_demo_removes_what_an_earlier_one_left(tmp_path: Path) -> None:
    """A killed demo leaves files; they are in nobody's way."""
    folder = DemoFolder(tmp_path / "demo")
    with folder.held():
        folder.claim()
        (folder.path / "shop").mkdir()
        (folder.path / "shop" / "web.yaml").touch()

    with folder.held():
        folder.claim()

        assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "nopea-demo"]
        folder.remove()
    assert not folder.path.exists()


def test_only_one_demo_is_in_the_folder(tmp_path: Path) -> None:
    """The second is told at once, and touches nothing."""
    folder = DemoFolder(tmp_path / "demo")
    with folder.held():
        folder.claim()

        with pytest.raises(LabError, match="Another `nopea demo` runs") as caught, folder.held():
            pass

        assert "Ctrl-C" in caught.value.hint
        assert (folder.path / "nopea-demo").exists()


@pytest.mark.parametrize("is_file", [True, False])
def test_a_strangers_folder_is_refused(tmp_path: Path, *, is_file: bool) -> None:
    """Neither a file nor a folder with something else in it is a demo's."""
    place = tmp_path / "place"
    if is_file:
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "thesis.txt").write_text("mine")

    with pytest.raises(LabError, match="not a demo's folder"), DemoFolder(place).held():
        pass


def test_a_failed_demo_keeps_its_logs_until_the_next(tmp_path: Path) -> None:
    """Everything else goes."""
    folder = DemoFolder(tmp_path / "demo")
    with folder.held():
        folder.claim()
        folder.logs.mkdir()
        (folder.logs / "nopea.log").write_text("why")
        folder.cache.mkdir()

        folder.clear(keep_logs=True)

        assert sorted(path.name for path in folder.path.iterdir()) == ["lock", "logs", "nopea-demo"]
        folder.clear()
        assert [path.name for path in folder.path.iterdir()] == ["lock"]
