"""The catalogue of the metrics: name, type, labels, help. docs/runbook.md has each of them.

Label values come from small sets or from the existing GitRepositories, never from a commit, a URL, a message
or an object. The labels of a repository are not `namespace` and `name`, because scraping adds a `namespace`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Type(enum.StrEnum):
    """The type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; `name` is the name in queries, for a histogram without `_bucket`."""

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

# Syncs.
SYNCS = _counter(
    "nopea_syncs_total",
    "Syncs of a repository, by result and trigger.",
    "result",
    "trigger",
)
SYNC_SECONDS = _histogram(
    "nopea_sync_duration_seconds", "Duration of syncs.", "result", buckets=_SLOW
)  # fmt: skip
SYNC_OBJECTS = _counter("nopea_sync_objects_total", "Objects that syncs checked, by result.", "result")
DRIFTS = _counter(
    "nopea_drifts_total",
    "Drifted objects, by kind of drift, action, and the tool that changed them.",
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
REPOSITORY_INFO = _gauge("nopea_repository_info", "A GitRepository, always 1.", *_REPOSITORY, "heal_policy")
REPOSITORY_READY = _gauge("nopea_repository_ready", "1 if the GitRepository is Ready, else 0.", *_REPOSITORY)
REPOSITORY_HEALTHY = _gauge(
    "nopea_repository_healthy", "1 if its objects are healthy, else 0; absent while unknown.", *_REPOSITORY
)
REPOSITORY_SUSPENDED = _gauge("nopea_repository_suspended", "1 if it is suspended, else 0.", *_REPOSITORY)
REPOSITORY_OBJECTS = _gauge("nopea_repository_objects", "Objects of the repository in Git.", *_REPOSITORY)
REPOSITORY_DRIFTED = _gauge(
    "nopea_repository_drifted_objects",
    "Objects that differ from Git because they were changed in the cluster.",
    *_REPOSITORY,
)
REPOSITORY_FAILED = _gauge(
    "nopea_repository_failed_objects", "Objects that could not be applied.", *_REPOSITORY
)
REPOSITORY_FAILURES = _gauge("nopea_repository_failures", "Consecutive failed syncs.", *_REPOSITORY)
REPOSITORY_INTERVAL = _gauge("nopea_repository_interval_seconds", "The value of spec.interval.", *_REPOSITORY)
REPOSITORY_LAST_SYNC = _gauge(
    "nopea_repository_last_sync_timestamp_seconds",
    "When this process last synced it without a problem, in Unix time; absent before the first time.",
    *_REPOSITORY,
)

# Rendering.
RENDERINGS = _counter("nopea_renderings_total", "Renderings, by result.", "tool", "result")
DOWNLOADS = _counter(
    "nopea_downloads_total", "Requests for charts and remote files, by result.", "source", "result"
)
DOWNLOAD_SECONDS = _histogram(
    "nopea_download_duration_seconds", "Duration of these requests.", "source", buckets=_SLOW
)
RENDERING_SECONDS = _histogram(
    "nopea_rendering_duration_seconds",
    "Duration of renderings, including the wait for a process.",
    "tool",
    buckets=_SLOW,
)

# Git.
GIT_OPERATIONS = _counter("nopea_git_operations_total", "Git operations, by result.", "operation", "result")
GIT_SECONDS = _histogram(
    "nopea_git_operation_duration_seconds",
    "Duration of Git operations, including the wait for a Git process.",
    "operation",
    buckets=_SLOW,
)
GIT_RUNNING = _gauge("nopea_git_operations_running", "Git operations in progress.")
GIT_CHILDREN = _gauge("nopea_git_children", "Running Git processes.")
GIT_CHILD_STARTS = _counter("nopea_git_child_starts_total", "Git processes started.")
GIT_CHILD_ENDS = _counter(
    "nopea_git_child_failures_total", "Git processes that died or were killed, by cause.", "cause"
)

# The API server.
API_REQUESTS = _counter(
    "nopea_api_requests_total", "Requests to the API server, by verb and response code.", "verb", "code"
)
API_SECONDS = _histogram(
    "nopea_api_request_duration_seconds",
    "Duration of requests to the API server; of a watch, until it opened.",
    "verb",
    buckets=_QUICK,
)
API_RUNNING = _gauge("nopea_api_requests_running", "Requests to the API server in progress, without watches.")
API_ALLOWED = _gauge("nopea_api_requests_allowed", "The current limit of requests in progress.")
WATCHES = _gauge("nopea_watches", "Watches on applied kinds, by state.", "state")
WATCH_LISTS = _counter(
    "nopea_watch_lists_total", "Complete lists that these watches read: the first of each, and after gaps."
)

# Webhooks.
WEBHOOKS = _counter(
    "nopea_webhook_deliveries_total",
    "Webhook deliveries, by provider and result.",
    "provider",
    "result",
)
WEBHOOK_SECONDS = _histogram(
    "nopea_webhook_answer_duration_seconds",
    "Duration of webhook requests.",
    "result",
    buckets=_QUICK,
)

# Pull requests.
PULL_REQUEST_PLANS = _counter(
    "nopea_pull_request_plans_total", "Plans of pull requests for a GitRepository, by result.", "result"
)

# Sinks.
SINK_DELIVERED = _counter("nopea_sink_delivered_total", "Messages that a sink accepted.", "sink")
SINK_DROPPED = _counter(
    "nopea_sink_dropped_total", "Messages that were not delivered to a sink, by reason.", "sink", "reason"
)
SINK_RETRIED = _counter("nopea_sink_retried_total", "Delivery attempts that failed and are repeated.", "sink")
SINK_QUEUED = _gauge("nopea_sink_queue_length", "Messages that wait for delivery.", "sink")
SINK_STOPPED = _gauge("nopea_sink_stopped", "1 if the sink has answered 410 Gone, else 0.", "sink")

# Internals.
QUEUE_LENGTH = _gauge("nopea_queue_length", "Waiting items, by queue.", "queue")
EVENTS_DROPPED = _counter("nopea_events_dropped_total", "Kubernetes Events that were lost.")
WORKERS = _gauge("nopea_workers", "Workers, one per GitRepository.")
WORKER_RESTARTS = _counter("nopea_worker_restarts_total", "Workers restarted after a crash.")
CACHE_BYTES = _gauge("nopea_cache_size_bytes", "Approximate size of caches.", "cache")
CACHE_ENTRIES = _gauge("nopea_cache_entries", "Entries in caches.", "cache")
READY = _gauge("nopea_ready", "1 if the process is ready, else 0.")
LEADER = _gauge("nopea_leader", "1 if this process applies objects; always 1, because there is one process.")
BUILD_INFO = _gauge("nopea_build_info", "The running version, always 1.", "version", "python")

COUNTED = (
    SYNCS,
    SYNC_SECONDS,
    SYNC_OBJECTS,
    DRIFTS,
    RENDERINGS,
    RENDERING_SECONDS,
    DOWNLOADS,
    DOWNLOAD_SECONDS,
    GIT_OPERATIONS,
    GIT_SECONDS,
    API_REQUESTS,
    API_SECONDS,
    WEBHOOKS,
    WEBHOOK_SECONDS,
    PULL_REQUEST_PLANS,
)
"""Counted as things happen."""

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
"""Read from the existing GitRepositories at each scrape."""

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
"""Read from the parts of the process at each scrape."""

PROCESS = (
    _gauge("process_virtual_memory_bytes", "Virtual memory size in bytes."),
    _gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
    _gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds."),
    _counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds."),
    _gauge("process_open_fds", "Number of open file descriptors."),
    _gauge("process_max_fds", "Maximum number of open file descriptors."),
)
"""Metrics of the Prometheus client about the process."""

ALL = (*COUNTED, *OF_REPOSITORIES, *LIVE, *PROCESS)
