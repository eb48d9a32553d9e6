"""Every metric there is: name, type, labels, help. Who counts, who reads, and docs/runbook.md agree with it.

Labels come from small sets, or from the GitRepositories that exist; never from a commit, a URL, a message or
an object. A repository's labels are not `namespace` and `name`: scraping adds a `namespace` of its own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Type(enum.StrEnum):
    """What kind of number it is."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; `name` is what a query says, a histogram's without `_bucket`."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    type: Type = Type.GAUGE
    buckets: tuple[float, ...] = ()


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=name, help=help_, labels=labels, type=Type.COUNTER)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(name=name, help=help_, labels=labels)


def _histogram(name: str, help_: str, *labels: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name=name, help=help_, labels=labels, type=Type.HISTOGRAM, buckets=buckets)


_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_REPOSITORY = ("repository_namespace", "repository")

# Passes.
SYNCS = _counter(
    "nopea_syncs_total",
    "Passes over a repository, by how they ended and what woke them.",
    "result",
    "trigger",
)
SYNC_SECONDS = _histogram(
    "nopea_sync_duration_seconds", "How long passes took.", "result", buckets=_SLOW
)  # fmt: skip
SYNC_OBJECTS = _counter("nopea_sync_objects_total", "Objects that passes looked at, by result.", "result")
DRIFTS = _counter(
    "nopea_drifts_total",
    "Objects met changed in the cluster, by kind of drift, what was done, and the tool that changed them.",
    "kind",
    "action",
    "tool",
)

# Repositories.
REPOSITORIES = _gauge("nopea_repositories", "GitRepositories that exist.")
REPOSITORIES_SUSPENDED = _gauge("nopea_repositories_suspended", "GitRepositories that are suspended.")
CONDITIONS = _gauge(
    "nopea_repository_conditions", "GitRepositories by condition and its status.", "condition", "status"
)
REPOSITORY_INFO = _gauge(
    "nopea_repository_info", "A GitRepository, always 1.", *_REPOSITORY, "phase", "heal_policy"
)
REPOSITORY_READY = _gauge(
    "nopea_repository_ready", "1 when the GitRepository is Ready, else 0.", *_REPOSITORY
)
REPOSITORY_HEALTHY = _gauge(
    "nopea_repository_healthy", "1 when its objects are Healthy, else 0; absent while unknown.", *_REPOSITORY
)
REPOSITORY_SUSPENDED = _gauge("nopea_repository_suspended", "1 when it is suspended, else 0.", *_REPOSITORY)
REPOSITORY_OBJECTS = _gauge("nopea_repository_objects", "Objects that Git has for it.", *_REPOSITORY)
REPOSITORY_DRIFTED = _gauge(
    "nopea_repository_drifted_objects", "Objects that somebody changed in the cluster.", *_REPOSITORY
)
REPOSITORY_FAILED = _gauge(
    "nopea_repository_failed_objects", "Objects that could not be applied.", *_REPOSITORY
)
REPOSITORY_FAILURES = _gauge(
    "nopea_repository_failures", "Passes that failed in a row, up to now.", *_REPOSITORY
)
REPOSITORY_INTERVAL = _gauge(
    "nopea_repository_interval_seconds", "The interval that its spec asks for.", *_REPOSITORY
)
REPOSITORY_LAST_SYNC = _gauge(
    "nopea_repository_last_sync_timestamp_seconds",
    "When a pass of this process last ended without a problem; absent before the first.",
    *_REPOSITORY,
)

# Git.
GIT_OPERATIONS = _counter("nopea_git_operations_total", "Git operations, by result.", "operation", "result")
GIT_SECONDS = _histogram(
    "nopea_git_operation_duration_seconds",
    "How long Git operations took, with the wait for a turn.",
    "operation",
    buckets=_SLOW,
)
GIT_RUNNING = _gauge("nopea_git_operations_running", "Git operations that a child works on.")
GIT_CHILDREN = _gauge("nopea_git_children", "Git processes that run.")
GIT_CHILD_STARTS = _counter("nopea_git_child_starts_total", "Git processes started.")
GIT_CHILD_ENDS = _counter(
    "nopea_git_child_failures_total", "Git processes that died or were killed, by cause.", "cause"
)

# The API server.
API_REQUESTS = _counter(
    "nopea_api_requests_total", "Requests to the API server, by verb and answer.", "verb", "code"
)
API_SECONDS = _histogram(
    "nopea_api_request_duration_seconds",
    "How long the API server took to answer; of a watch, until it opened.",
    "verb",
    buckets=_QUICK,
)
API_RUNNING = _gauge("nopea_api_requests_running", "Requests that the API server works on, without watches.")
API_ALLOWED = _gauge("nopea_api_requests_allowed", "How many of them may run at once, as it adapts.")
WATCHES = _gauge("nopea_watches", "Watches on applied kinds, by state.", "state")
WATCH_LISTS = _counter(
    "nopea_watch_lists_total", "Whole lists read by those watches; the first of each, and after gaps."
)

# Webhooks.
WEBHOOKS = _counter(
    "nopea_webhook_deliveries_total",
    "Deliveries at the webhook endpoints, by who sent them and what came of it.",
    "provider",
    "result",
)
WEBHOOK_SECONDS = _histogram(
    "nopea_webhook_answer_duration_seconds",
    "How long deliveries took to be answered.",
    "result",
    buckets=_QUICK,
)

# Sinks.
SINK_DELIVERED = _counter("nopea_sink_delivered_total", "Messages that a sink took.", "sink")
SINK_DROPPED = _counter(
    "nopea_sink_dropped_total", "Messages that a sink did not get, by reason.", "sink", "reason"
)
SINK_RETRIED = _counter("nopea_sink_retried_total", "Tries that failed and are repeated.", "sink")
SINK_QUEUED = _gauge("nopea_sink_queue_length", "Messages that wait for a sink.", "sink")
SINK_STOPPED = _gauge("nopea_sink_stopped", "1 when a sink has said that it is gone (410), else 0.", "sink")

# Inside.
QUEUE_LENGTH = _gauge("nopea_queue_length", "What waits for its turn, by queue.", "queue")
EVENTS_DROPPED = _counter("nopea_events_dropped_total", "Kubernetes Events that could not be sent.")
WORKERS = _gauge("nopea_workers", "Workers, one per GitRepository.")
WORKER_RESTARTS = _counter("nopea_worker_restarts_total", "Workers restarted after a crash.")
CACHE_BYTES = _gauge("nopea_cache_size_bytes", "Memory that caches hold, about.", "cache")
CACHE_ENTRIES = _gauge("nopea_cache_entries", "Entries that caches hold.", "cache")
READY = _gauge("nopea_ready", "1 when /ready says so, else 0.")
LEADER = _gauge("nopea_leader", "1 when this process applies; the only process always does.")
BUILD_INFO = _gauge("nopea_build_info", "The version that runs, always 1.", "version", "python")

COUNTED = (
    SYNCS,
    SYNC_SECONDS,
    SYNC_OBJECTS,
    DRIFTS,
    GIT_OPERATIONS,
    GIT_SECONDS,
    API_REQUESTS,
    API_SECONDS,
    WEBHOOKS,
    WEBHOOK_SECONDS,
)
"""What is counted as it happens."""

OF_REPOSITORIES = (
    REPOSITORIES,
    REPOSITORIES_SUSPENDED,
    CONDITIONS,
    REPOSITORY_INFO,
    REPOSITORY_READY,
    REPOSITORY_HEALTHY,
    REPOSITORY_SUSPENDED,
    REPOSITORY_OBJECTS,
    REPOSITORY_DRIFTED,
    REPOSITORY_FAILED,
    REPOSITORY_FAILURES,
    REPOSITORY_INTERVAL,
    REPOSITORY_LAST_SYNC,
)
"""What is read from the GitRepositories that exist, at each scrape."""

LIVE = (
    GIT_RUNNING,
    GIT_CHILDREN,
    GIT_CHILD_STARTS,
    GIT_CHILD_ENDS,
    API_RUNNING,
    API_ALLOWED,
    WATCHES,
    WATCH_LISTS,
    SINK_DELIVERED,
    SINK_DROPPED,
    SINK_RETRIED,
    SINK_QUEUED,
    SINK_STOPPED,
    QUEUE_LENGTH,
    EVENTS_DROPPED,
    WORKERS,
    WORKER_RESTARTS,
    CACHE_BYTES,
    CACHE_ENTRIES,
    READY,
    LEADER,
    BUILD_INFO,
)
"""What is read from the parts of the process, at each scrape."""

PROCESS = (
    _gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
    _gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
    _gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
    _counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
    _gauge("process_open_fds", "Number of open file descriptors."),
    _gauge("process_max_fds", "Maximum number of open file descriptors."),
)
"""What the Prometheus client tells of any process."""

ALL = (*COUNTED, *OF_REPOSITORIES, *LIVE, *PROCESS)
