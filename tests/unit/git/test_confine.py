"""The restrictions that a Git child sets for itself, tested in processes of their own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nopea.git.confine import _all_but


def run(code: str, *, input: str = "") -> str:  # noqa: A002
    """Run the code in a new interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(os.getpid())],
        capture_output=True, text=True, check=False, timeout=60, input=input,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_child_is_killed_when_its_parent_ends() -> None:
    """The kernel kills the child, even if it is not reading from its parent."""
    code = """
        import os, sys, time
        from nopea.git.confine import die_with
        parent = os.getpid()
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            die_with(parent)
            os.write(told, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(ready, 1)
        print(child, flush=True)
        os._exit(0)
    """
    child = int(run(code))
    # `run` returns when the child's pipe is closed, which is before the child is a zombie.
    deadline = time.monotonic() + 10
    while state(child) not in {"gone", "Z"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(pid: int) -> str:
    """Return the letter of a process's state: Z for a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def test_a_child_whose_parent_has_ended_does_not_start() -> None:
    """The parent's id is compared after the request to the kernel, so there is no race."""
    code = """
        from nopea.git.confine import OrphanError, die_with
        try:
            die_with(1 << 22)
        except OrphanError as error:
            print(error)
    """
    assert run(code) == f"the parent {1 << 22} has ended\n"


def test_a_child_leaves_no_core_dump() -> None:
    """Memory that contains credentials is never written to disk."""
    code = """
        import resource, sys
        from nopea.git.confine import die_with
        die_with(int(sys.argv[1]))
        print(resource.getrlimit(resource.RLIMIT_CORE))
    """
    assert run(code) == "(0, 0)\n"


def test_memory_over_the_limit_is_refused() -> None:
    """The process gets a MemoryError and continues."""
    code = """
        from nopea.git.confine import limit_memory
        limit_memory(128 * 1024 * 1024)
        try:
            bytearray(256 * 1024 * 1024)
        except MemoryError:
            print("refused")
        print(len(bytearray(1024 * 1024)))
    """
    assert run(code) == "refused\n1048576\n"


def test_only_the_private_pipe_carries_responses() -> None:
    """What a library prints goes to standard error, and standard input is empty."""
    code = """
        import os, sys
        from nopea.git.confine import take_pipes
        requests, answers = take_pipes()
        print("noise", flush=True)
        assert sys.stdin.read() == ""
        os.write(answers, os.read(requests, 100).upper())
    """
    assert run(code, input="request") == "REQUEST"


def test_the_kernel_kills_a_child_before_the_controller() -> None:
    """It is the first one when memory is short."""
    code = """
        from pathlib import Path
        from nopea.git.confine import be_killed_first
        be_killed_first()
        print(Path("/proc/self/oom_score_adj").read_text().strip())
    """
    assert run(code) == "1000\n"


def test_all_files_but_secrets_can_be_listed(tmp_path: Path) -> None:
    """Folders that contain a secret are taken apart; links are not followed, so none leads around."""
    for name in ("home/user", "run/secrets/token", "run/user", "proc/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "var").symlink_to(tmp_path / "run")

    found = set(_all_but(tmp_path, (tmp_path / "proc", tmp_path / "run" / "secrets")))

    assert found == {tmp_path / "home", tmp_path / "run" / "user"}


def test_limits_are_lowered_for_good() -> None:
    """A file cannot grow beyond its limit, which is an error and not a signal; the process is nice."""
    code = """
        import os, resource, tempfile
        from pathlib import Path
        from nopea.git.confine import enter_sandbox
        folder = Path(tempfile.mkdtemp())
        missing = enter_sandbox(folder, max_file_bytes=1000)
        try:
            (folder / "big").write_bytes(bytes(1001))
        except OSError as error:
            print(error.strerror)
        print((folder / "big").stat().st_size, resource.getrlimit(resource.RLIMIT_NOFILE)[1], os.nice(0))
        (folder / "big").unlink()
    """
    files = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert run(code) == f"File too large\n1000 {files} {min(19, os.nice(0) + 5)}\n"


@pytest.mark.parametrize(("abi", "dumpable"), [(0, "0"), (1, "1")])
def test_the_controller_hides_where_landlock_does_not(abi: int, dumpable: str) -> None:
    """A process that is not dumpable cannot be debugged either, so it is only done where it is needed."""
    code = f"""
        import ctypes
        from nopea.git import confine, landlock
        landlock.abi = lambda: {abi}
        confine.hide_from_children()
        print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
    """
    assert run(code) == dumpable + "\n"


def test_what_the_kernel_cannot_do_is_said() -> None:
    """A child goes on with what the kernel has."""
    code = """
        from pathlib import Path
        from nopea.git import confine, landlock, seccomp
        landlock.abi = lambda: 0
        seccomp.refuse = lambda: False
        for missing in confine.enter_sandbox(Path("."), max_file_bytes=10**9):
            print(missing)
    """
    assert run(code).splitlines() == [
        "the kernel does not restrict files: no Landlock",
        "the kernel does not refuse system calls: no seccomp filter",
    ]
