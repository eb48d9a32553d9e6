"""Who an object belongs to: the value of the `nopea.io/repository` label."""

from __future__ import annotations

import hashlib

from nopea.core.objects import RepoKey

MAX_LABEL_VALUE = 63


def owner_label(key: RepoKey) -> str:
    """Return the label value of a repository: `<namespace>.<name>`; if too long, a prefix of it and a hash.

    Namespaces hold no dot, so the short form is unique; label values end at 63 characters (Kubernetes).
    """
    plain = f"{key.namespace}.{key.name}"
    if len(plain) <= MAX_LABEL_VALUE:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:20]
    return f"{plain[: MAX_LABEL_VALUE - 21].rstrip('.-')}-{digest}"
