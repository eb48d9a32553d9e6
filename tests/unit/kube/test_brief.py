"""What stays of the API server's messages about fields."""

from __future__ import annotations

import pytest

from nopea.kube.brief import brief_cause, shortened

JOB = '{"labels":{"job-name":"j"},"Spec":{"Containers":[{"Env":[' + '{"Name":"E0"},' * 200 + "]}]}}"
PVC = """Forbidden: spec is immutable after creation except resources.requests for bound claims
@@ -10,7 +10,7 @@
   }
  },
  "VolumeName": "",
- "StorageClassName": "fast",
+ "StorageClassName": "slow",
  "VolumeMode": "Filesystem",
"""
OLD_PVC = """Forbidden: spec is immutable after creation except resources.requests for bound claims
  core.PersistentVolumeClaimSpec{
  \t... // 2 identical fields
- \tStorageClassName: &"fast",
+ \tStorageClassName: &"slow",
  }
"""


IMMUTABLE = "Forbidden: spec is immutable after creation except resources.requests for bound claims"
PORT = 'Invalid value: "99999": must be between 1 and 65535'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"Invalid value: {JOB}: field is immutable", "field is immutable"),
        (f"Invalid value: core.PodTemplateSpec{JOB}: field is immutable", "field is immutable"),
        (f'Invalid value: "{"x" * 300}": must be shorter', "must be shorter"),
        (PORT, PORT),
        (PVC, f'{IMMUTABLE} (- "StorageClassName": "fast" + "StorageClassName": "slow")'),
        (OLD_PVC, f'{IMMUTABLE} (- StorageClassName: &"fast" + StorageClassName: &"slow")'),
        ("Required value", "Required value"),
        ("two\nlines", "two\nlines"),
        ("", ""),
    ],
)
def test_the_reason_stays_and_a_dump_goes(message: str, expected: str) -> None:
    """A long value and the unchanged lines of a comparison are left out."""
    assert brief_cause(message) == expected


def test_a_long_text_keeps_its_end() -> None:
    """The end says what is wrong."""
    text = shortened("x" * 5000 + ": field is immutable", 500)
    assert len(text) == 500
    assert text.endswith("…" + "x" * 180 + ": field is immutable")
    assert shortened("short", 500) == "short"
