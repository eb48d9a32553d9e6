"""The catalogue of the log: every event that `nopea run` can write, with its level, message, facts and meaning.

To add one, declare it here and write it with `log.write(log_events.NAME, fact=…)`. docs/generate.py makes a page of them.
"""

from __future__ import annotations

from collections.abc import Collection
from logging import DEBUG, ERROR, INFO, WARNING

from nopea.core.objects import RepoKey
from nopea.logs import event

# The process


@event(INFO, "listening")
def listening(serves: str, host: str, port: int) -> None:
    """A port answers; `serves` is `probes` (and metrics), `webhooks`, `users` or `dashboard`."""


@event(INFO, "started")
def started(version: str, server: str) -> None:
    """All services run; `server` is the API server."""


@event(INFO, "draining")
def draining(why: str, workers: int) -> None:
    """SIGTERM or SIGINT came, or a core service ended; the process finishes its work."""


@event(WARNING, "syncs interrupted at shutdown")
def syncs_interrupted(workers: int) -> None:
    """Some syncs did not stop in time."""


@event(INFO, "stopped")
def stopped(why: str) -> None:
    """The process has finished its work and ends."""


@event(ERROR, "core service crashed")
def core_service_crashed(service: str) -> None:
    """A bug in Nopea, or a folder that cannot be used; the process ends. With `traceback`."""


@event(ERROR, "core service ended")
def core_service_ended(service: str) -> None:
    """A core service ended without an exception; the process ends."""


@event(WARNING, "heartbeat not written")
def heartbeat_failed(lease: str, error: str) -> None:
    """The Lease that shows that the process is alive cannot be written; logged once until it can."""


@event(WARNING, "inventory key not kept")
def inventory_key_not_kept(secret: str, error: str) -> None:
    """The Secret cannot be read, created or used: until it can, each start reads every object once."""


@event(INFO, "users recorded")
def users_recorded(hosts: Collection[str]) -> None:
    """The API server has been told where to report writes of users; with `--record-users`."""


@event(WARNING, "users not recorded")
def users_not_recorded(error: str) -> None:
    """The API server cannot be told where to report writes: drift is reported without users."""


# Repositories


@event(INFO, "sync finished")
def sync_finished(
    repo: RepoKey, sync_id: str, triggers: Collection[str], result: str, commit: str | None, objects: int,
    created: int, configured: int, pruned: int, drifted: int, failed: int, seconds: float,
) -> None:  # fmt: skip
    """A sync ended without a problem; `result` is `synced`, `suspended`, `planned` or `superseded`."""


@event(WARNING, "sync failed")
def sync_failed(
    repo: RepoKey, sync_id: str, triggers: Collection[str], result: str, commit: str | None, objects: int,
    created: int, configured: int, pruned: int, drifted: int, failed: int, seconds: float,
    codes: Collection[str], problems: Collection[str], url: str,
) -> None:  # fmt: skip
    """A sync had problems that the previous one did not have; `problems` has the first ten in full."""


@event(WARNING, "sync failed again")
def sync_failed_again(
    repo: RepoKey, sync_id: str, triggers: Collection[str], result: str, commit: str | None, objects: int,
    created: int, configured: int, pruned: int, drifted: int, failed: int, seconds: float,
    codes: Collection[str],
) -> None:  # fmt: skip
    """A sync had the same problems as the previous one."""


@event(WARNING, "status not written")
def status_not_written(repo: RepoKey, error: str) -> None:
    """The API server did not accept the status; the sync is repeated."""


@event(WARNING, "inventories not trimmed")
def inventories_not_trimmed(repo: RepoKey, error: str) -> None:
    """Inventory objects that are no longer needed were not deleted; the next sync tries again."""


@event(WARNING, "rendering not kept")
def rendering_not_kept(error: str) -> None:
    """The file of a rendering could not be read or written; it is made again when it is needed."""


@event(INFO, "repository deleted")
def repository_deleted(repo: RepoKey) -> None:
    """A GitRepository was deleted."""


@event(INFO, "objects orphaned")
def objects_orphaned(repo: RepoKey, note: str) -> None:
    """Objects stay that a deleted GitRepository applied; a namespace that is being deleted takes no Event of it."""


@event(INFO, "mirrors deleted")
def mirrors_deleted(count: int) -> None:
    """Git mirrors that no repository uses any more were deleted."""


@event(INFO, "mirrors evicted")
def mirrors_evicted(count: int, bytes: int) -> None:  # noqa: A002 - the name of the fact
    """Room was short, so the least recently used Git mirrors were deleted; they are cloned again when needed."""


@event(ERROR, "worker crashed")
def worker_crashed(repo: object, crashes: int, restart_in: float) -> None:
    """A bug in Nopea; the worker of that repository is restarted. With `traceback`."""


@event(ERROR, "worker crashed while stopping")
def worker_crashed_while_stopping(repo: object) -> None:
    """A bug in Nopea, while a GitRepository was deleted or the process stopped. With `traceback`."""


@event(ERROR, "worker does not end")
def worker_does_not_end(repo: object) -> None:
    """A bug in Nopea: a worker still runs although it was cancelled; the process continues without it."""


@event(ERROR, "crash not reported")
def crash_not_reported(repo: object) -> None:
    """A crash could not be written into the status either. With `traceback`."""


@event(ERROR, "message not made")
def message_not_made(repo: RepoKey) -> None:
    """A bug in Nopea: an event, notification or commit status is missing, nothing else. With `traceback`."""


# The API server


@event(WARNING, "watch interrupted")
def watch_interrupted(resource: str, error: str) -> None:
    """A watch has to be opened again; logged once until it works."""


@event(INFO, "watch works again")
def watch_works_again(resource: str) -> None:
    """An interrupted watch works again."""


@event(INFO, "health not read")
def health_not_read(object: str, error: str) -> None:  # noqa: A002 - the fact's name
    """An object that cannot be watched could not be read either; its health stays as it was."""


@event(WARNING, "discovery failed")
def discovery_failed(error: str) -> None:
    """The API server did not say which kinds it serves; Nopea asks again."""


@event(WARNING, "unrecorded objects not searched")
def unrecorded_objects_not_searched(error: str) -> None:
    """At startup Nopea could not search for objects that a crash left out of the inventory."""


@event(DEBUG, "kind not searched")
def kind_not_searched(kind: str, error: str) -> None:
    """The same for one kind, which Nopea may not list."""


@event(DEBUG, "pods not read")
def pods_not_read(object: str, error: str) -> None:  # noqa: A002 - the fact's name
    """The Pods of an unhealthy object could not be read, so the status does not say why it is unhealthy."""


@event(WARNING, "event not sent")
def event_not_sent(error: str) -> None:
    """An Event for `kubectl describe` was lost."""


@event(WARNING, "events dropped at shutdown")
def events_dropped(count: int) -> None:
    """There was no time left to send these Events."""


# Git


@event(WARNING, "child process ended")
def child_ended(child: str, requests: int) -> None:
    """A process for Git or for rendering died; its requests are repeated."""


@event(WARNING, "child process cannot be started")
def child_cannot_be_started(child: str, error: str) -> None:
    """Most likely Nopea cannot write to the cache folder."""


@event(WARNING, "child process did not start in time")
def child_did_not_start(child: str) -> None:
    """A process for Git or for rendering was not ready within 30 s."""


@event(WARNING, "child process does not speak the protocol")
def child_speaks_nonsense(child: str, error: str) -> None:
    """The answer of a process made no sense; the process is replaced."""


@event(DEBUG, "child process output")
def child_output(child: str, line: str) -> None:
    """What a process for Git or for rendering wrote on standard error."""


# Outgoing messages


@event(DEBUG, "notification queued")
def notification_queued(repo: RepoKey, kind: str, held_back: int) -> None:
    """A notification was put into the queues of the receivers."""


@event(WARNING, "receiver unusable")
def receiver_unusable(repo: RepoKey, problem: str) -> None:
    """A receiver of `spec.notify` cannot be used, or refuses; the GitRepository has an Event. Logged once."""


@event(WARNING, "notifications dropped at shutdown")
def notifications_dropped(count: int) -> None:
    """The process ended before the rate limit let these notifications and commit statuses go."""


@event(WARNING, "commit status refused")
def commit_status_refused(repo: RepoKey, url: str, status: int, hint: str) -> None:
    """A Git server does not accept the status of a commit; logged once for each token."""


@event(DEBUG, "commit status not sent")
def commit_status_not_sent(repo: RepoKey, why: str) -> None:
    """The commits of a repository get no status; logged once."""


@event(INFO, "pull request planned")
def pull_request_planned(repo: RepoKey, number: int, commit: str, comment: str, seconds: float) -> None:
    """The plan of a pull request was made; `comment` is `created`, `updated` or, if nothing changes, `none`."""


@event(DEBUG, "pull request waits")
def pull_request_waits(repo: RepoKey, number: int, why: str, seconds: float) -> None:
    """The plan of a pull request could not be made or commented, and is tried again after `seconds`."""


@event(WARNING, "pull request not planned")
def pull_request_not_planned(repo: RepoKey, number: int, why: str) -> None:
    """The plan of a pull request was given up, after several tries if they could help."""


@event(WARNING, "pull requests refused")
def pull_requests_refused(repo: RepoKey, problem: str) -> None:
    """No plan of the repository can be commented; the GitRepository has an Event. Logged once."""


@event(ERROR, "pull request plan crashed")
def pull_request_plan_crashed(repo: RepoKey) -> None:
    """A bug in Nopea: a pull request has no plan, nothing else. With `traceback`."""


@event(WARNING, "sink failing")
def sink_failing(sink: str, url: str, error: str) -> None:
    """A receiver accepted nothing at two attempts in a row; logged once until it recovers."""


@event(INFO, "sink recovered")
def sink_recovered(sink: str, url: str, queued: int) -> None:
    """A failing receiver accepts messages again; `queued` messages follow."""


@event(WARNING, "messages dropped")
def messages_dropped(sink: str, reason: str, count: int, error: str, last: str) -> None:
    """A receiver will not get these messages; `last` is the id of the last one. At most one line a minute and reason."""


@event(ERROR, "sink stopped")
def sink_stopped(sink: str, url: str, queued: int) -> None:
    """The receiver answered 410: it gets nothing more until Nopea is restarted."""


@event(INFO, "sending traces")
def sending_traces(endpoint: str) -> None:
    """Syncs are reported to an OpenTelemetry collector."""


@event(WARNING, "traces need the extra otel")
def traces_need_otel(install: str, error: str) -> None:
    """An endpoint is set, but the packages are not installed; Nopea runs without traces."""


@event(WARNING, "traces lost at shutdown")
def traces_lost(seconds: float) -> None:
    """The collector did not accept the last traces in time."""


# Webhooks


@event(INFO, "webhook received")
def webhook_received(
    address: str,
    provider: str,
    woken: Collection[RepoKey],
    planned: Collection[RepoKey],
    ignored: str,
    seconds: float,
    suppressed: int,
) -> None:
    """A genuine delivery: the repositories that it woke or plans its pull request for, or why there are none; of the latter at most 100 lines at once and two a second."""


@event(WARNING, "webhook refused")
def webhook_refused(address: str, status: int, code: str, problem: str, hint: str, suppressed: int) -> None:
    """A delivery was refused; at most 20 lines at once and one every 3 s, and one a minute for a namespace."""
