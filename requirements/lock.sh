#!/usr/bin/env bash
# Refresh the hashed locks. Needs `uv` on the PATH (`pip install uv`); it resolves for every platform at once.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "uv is not on the PATH; install it with: pip install uv" >&2; exit 1; }
unset PIP_FIND_LINKS UV_FIND_LINKS
options=(--quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
  --no-emit-index-url --no-emit-find-links "${LOCK_OPTIONS:---upgrade}")
uv pip compile "${options[@]}" pyproject.toml --output-file requirements/runtime.txt
uv pip compile "${options[@]}" --group dev pyproject.toml --output-file requirements/dev.txt
