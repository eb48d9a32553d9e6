"""The validation rules (CEL) of the GitRepository's spec: what the schema of one field cannot express."""

from __future__ import annotations

from typing import Any

RULES = "x-kubernetes-validations"

IGNORE_RULES = (
    {
        "rule": "has(self.jsonPointers) || has(self.managers)",
        "message": "set jsonPointers, managers or both; a rule without them ignores nothing",
    },
)

REF_RULES = (
    {
        # as in Flux, a branch beside a commit says where the commit comes from
        "rule": "[has(self.branch) || has(self.commit), "
        "has(self.tag), has(self.semver), has(self.name)]"
        ".filter(given, given).size() <= 1",
        "message": "set only one of branch, tag, semver, name and commit; "
        "only branch and commit can be combined",
    },
)

URL_RULE = (
    r"self.url.matches('^(https?|ssh|file)://[^\\s]+$') "
    r"|| self.url.matches('^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\\s]+$')"
)
SPEC_RULES: tuple[dict[str, Any], ...] = (
    {
        "rule": URL_RULE,
        "fieldPath": ".url",
        "message": "must be an https, http, ssh or file URL, or scp-like: user@host:path",
    },
    {
        # a user without a password is how SSH URLs are written; everywhere else userinfo is a credential
        "rule": "!self.url.matches('^(https?|file)://[^/]*@') && !self.url.matches('^ssh://[^/]*:[^/]*@')",
        "fieldPath": ".url",
        "message": "must not contain credentials; put them into a Secret and name it in secretRef",
    },
    {
        # libgit2 has no proxy for them, and going without one is not what was asked for
        "rule": "!has(self.proxySecretRef) || self.url.startsWith('https://')",
        "fieldPath": ".proxySecretRef",
        "message": "needs an https URL: Nopea has no proxy for http and SSH",
    },
    {
        "rule": r"!self.path.startsWith('/') && !self.path.matches('(^|/)\\.\\.(/|$)')",
        "fieldPath": ".path",
        "message": "must be relative to the repository's root and must not contain '..'",
    },
    {
        "rule": "duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('8760h')",
        "fieldPath": ".interval",
        "message": "must be between 1s and 8760h (a year)",
    },
    {
        "rule": "!has(self.retryInterval) || (duration(self.retryInterval) >= duration('1s') "
        "&& duration(self.retryInterval) <= duration('8760h'))",
        "fieldPath": ".retryInterval",
        "message": "must be between 1s and 8760h (a year)",
    },
    {
        "rule": "duration(self.timeout) >= duration('1s') && duration(self.timeout) <= duration('1h')",
        "fieldPath": ".timeout",
        "message": "must be between 1s and 1h",
    },
    {
        "rule": "duration(self.healGracePeriod) <= duration('8760h')",
        "fieldPath": ".healGracePeriod",
        "message": "must be at most 8760h (a year)",
    },
)
