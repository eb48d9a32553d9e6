#!/usr/bin/env bash
# Refresh the hashed locks and the digests of the base images. Needs `uv` on the PATH (`pip install uv`), which resolves
# for every platform at once, and Docker with access to the registry for the digest.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "uv is not on the PATH; install it with: pip install uv" >&2; exit 1; }
unset PIP_FIND_LINKS UV_FIND_LINKS
options=(--quiet --no-config --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
  --no-emit-index-url --no-emit-find-links "${LOCK_OPTIONS:---upgrade}")
uv pip compile "${options[@]}" pyproject.toml --output-file requirements/runtime.txt
# What is tested is what the image has: the second lock may not choose other versions than the first.
uv pip compile "${options[@]}" --group dev pyproject.toml --constraint requirements/runtime.txt --output-file requirements/dev.txt

for image in PYTHON_IMAGE GO_IMAGE; do
  tag=$(sed -nE "s/^ARG $image=([^@]+).*/\1/p" Dockerfile)
  if digest=$(docker buildx imagetools inspect "$tag" --format '{{.Manifest.Digest}}' 2>/dev/null); then
    sed -i -E "s|^(ARG $image=).*|\1$tag@$digest|" Dockerfile
  else
    echo "The registry of $tag cannot be reached, so its digest in the Dockerfile stays as it is." >&2
  fi
done
