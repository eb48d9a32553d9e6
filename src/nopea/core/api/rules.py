"""The validation rules (CEL) of the GitRepository's spec: what the other keywords of a schema cannot express.

A rule belongs to the smallest field that it is about. The API server evaluates all rules at each write of the
status, and lists all fields of `self` each time that a rule names one of them.
"""

from __future__ import annotations

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

URL_RULES = (
    {
        "rule": r"self.matches('^(https?|ssh|file)://[^\\s]+$') "
        r"|| self.matches('^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\\s]+$')",
        "message": "must be an https, http, ssh or file URL, or scp-like: user@host:path",
    },
    {
        # a user without a password is how SSH URLs are written; everywhere else userinfo is a credential
        "rule": "!self.matches('^(https?|file)://[^/]*@') && !self.matches('^ssh://[^/]*:[^/]*@')",
        "message": "must not contain credentials; put them into a Secret and name it in secretRef",
    },
)

PATH_RULES = (
    {
        "rule": r"!self.startsWith('/') && !self.matches('(^|/)\\.\\.(/|$)')",
        "message": "must be relative to the repository's root and must not contain '..'",
    },
)

CHART_RULES = (
    {
        "rule": r"!self.startsWith('/') && !self.matches('(^|/)\\.\\.(/|$)')",
        "message": "must be relative to the repository's root and must not contain '..'",
    },
    {
        # a host of its own, and no credentials, query or fragment
        "rule": r"!self.contains('://') || self.matches('^(oci|https)://[^/@?#\\s]+/[^@?#\\s]*[^@?#\\s/]$')",
        "message": "must be a folder, or an oci or https URL with the name of the chart at its end, "
        "without credentials",
    },
)

HELM_RULES = (
    {
        "rule": "(has(self.chart) && self.chart.contains('://')) "
        "|| (!has(self.version) && !has(self.digest))",
        "message": "version and digest are for a chart elsewhere: set chart to its URL",
    },
)

INTERVAL_RULES = (
    {
        "rule": "duration(self) >= duration('1s') && duration(self) <= duration('8760h')",
        "message": "must be between 1s and 8760h (a year)",
    },
)

TIMEOUT_RULES = (
    {
        "rule": "duration(self) >= duration('1s') && duration(self) <= duration('1h')",
        "message": "must be between 1s and 1h",
    },
)

GRACE_RULES = (
    {
        "rule": "duration(self) <= duration('8760h')",
        "message": "must be at most 8760h (a year)",
    },
)
