"""Own a lab and wait; tests kill this program to check what it leaves behind.

Arguments: the lab's folder, and the word to print when the lab is ready.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from nopea_lab.lab import Lab

if __name__ == "__main__":
    with Lab.open(Path(sys.argv[1])):
        sys.stdout.write(f"{sys.argv[2]}\n")
        sys.stdout.flush()
        signal.pause()
