"""What a page shows is compared loosely where runs differ, and strictly elsewhere."""

from __future__ import annotations

import pytest
from tests.docs.console import Step, agrees, steps_of

PAGE = """
```sh
make setup
```

```console
$ cat <<END
> a: 1
> END
a: 1
$ true
```

```console title="Terminal 2"
$ nopea run
```
"""


def test_the_commands_of_a_page() -> None:
    """Only console blocks count; a command has its continuation, its output and its terminal."""
    assert steps_of(PAGE) == [
        Step("", "cat <<END\na: 1\nEND", ["a: 1"]),
        Step("", "true", []),
        Step("Terminal 2", "nopea run", []),
    ]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("synced in 0.02s: 3 objects", "synced in 1.4s: 3 objects"),
        ("commit fb33bdf  Open", "commit 1f0c2a9  Open"),
        ("NAME  AGE\nshop  5s", "NAME   AGE\nshop   1m30s"),
        ("first\n…\nlast", "first\nsecond\nthird\nlast"),
        ("done", "… Requested a sync.\ndone"),
        ("The lab in /home/you/lab is down.", "The lab in /tmp/a/lab is down."),
    ],
)
def test_what_differs_between_runs_may_differ(shown: str, printed: str) -> None:
    """Times, ids, ages, folders, the width of columns, and lines that show progress."""
    assert agrees(shown.splitlines(), printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("3 objects", "2 objects"),
        (".spec.replicas 5 → 3", ".spec.replicas 5 → 4"),
        ("changed by kubectl", "changed by kubectl-edit"),
        ("first", "first\nsecond"),
        ("first\nsecond", "first"),
        ("first\n…\nlast", "first\nlast\nmore"),
    ],
)
def test_everything_else_must_be_the_same(shown: str, printed: str) -> None:
    """Counts, values, names and the number of lines."""
    assert not agrees(shown.splitlines(), printed)
