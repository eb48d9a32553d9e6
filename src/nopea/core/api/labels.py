"""The value of the label `nopea.io/repository`, which says to which GitRepository an object belongs."""

from __future__ import annotations

import hashlib

from nopea.core.objects import RepoKey

MAX_LABEL_VALUE = 63


def owner_label(key: RepoKey) -> str:
    """Return `<namespace>.<name>`, or a prefix of it and a hash if it is longer than 63 characters.

    A namespace has no dot, so the short form is unique. Kubernetes limits label values to 63 characters.
    """
    plain = f"{key.namespace}.{key.name}"
    if len(plain) <= MAX_LABEL_VALUE:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:20]
    return f"{plain[: MAX_LABEL_VALUE - 21].rstrip('.-')}-{digest}"
