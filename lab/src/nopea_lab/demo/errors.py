"""What the demo says when a step fails: what happened, what to do next, and the evidence."""

from __future__ import annotations

from nopea_lab.errors import LabError


class DemoError(LabError):
    """The demo cannot go on; whoever catches it ends everything that was started."""
