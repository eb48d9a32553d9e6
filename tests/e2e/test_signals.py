"""CDEvents from a real controller to good and bad sinks: no loss, no duplicate, no delayed sync."""

from __future__ import annotations

import signal
import statistics
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.sinks import LiveSink, wrong
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.fakes.sink import HANG, OK, Reply
from tests.gitserver import GitServer

SECONDS = 90.0
NAMES = ("one", "two", "three")
Start = Callable[..., Nopea]


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Site]:
    """A namespace for the controllers that the test starts."""
    made = Site(cluster, git_server, namespace)
    yield made
    for name in made.names:  # no controller may be running that would remove the finalizer
        place = made.place("nopea.io/v1alpha1 gitrepositories", name)
        made.cluster.merge(place, {"metadata": {"finalizers": None}})
    made.clear()


@pytest.fixture
def sinks() -> Iterator[tuple[LiveSink, LiveSink]]:
    """Two sinks: one that works, and one whose behaviour the test changes."""
    with LiveSink() as good, LiveSink() as other:
        yield good, other


def start(start_nopea: Start, site: Site, *urls: str, options: tuple[str, ...] = ()) -> Nopea:
    """Start a controller for the namespace that sends to these URLs."""
    running = start_nopea(
        site.cluster.lab,
        f"--namespace={site.namespace}",
        f"--cdevents-sink={','.join(urls)}",
        "--cdevents-source=https://nopea.acme.example/clusters/test",
        *options,
    )
    running.wait_until_ready()
    return running


def named(name: str, value: int) -> dict[str, str]:
    """Return the files of a commit with one ConfigMap."""
    return {"map.yaml": yamls.text(yamls.config_map(f"settings-{name}", value=str(value)))}


def push(repo: Repo, value: int) -> str:
    """Push a change, wait until it is applied, and return the commit."""
    commit = repo.git.commit(named(repo.name, value))
    repo.sync_now()
    repo.wait_synced(commit, seconds=SECONDS)
    return commit


def service_of(repo: Repo) -> str:
    """Return the subject of a repository's service events."""
    return f"gitrepository/{repo.site.namespace}/{repo.name}"


def assert_service(sink: LiveSink, repo: Repo, *types: str) -> None:
    """Assert that the sink received exactly these service events of the repository, in this order."""
    found = [one for one in sink.types(service_of(repo)) if one in ("service.deployed", "service.upgraded")]
    assert found == list(types), sink.types()


def assert_same(good: LiveSink, other: LiveSink) -> None:
    """Assert that both sinks received the same events in the same order."""
    assert other.ids() == good.ids()


def metrics(running: Nopea) -> str:
    """Return the metrics page."""
    answer = running.get("/metrics")
    assert answer.status == 200
    return answer.text


BAD = {
    "down": None,
    "slow": Reply(delay=1.0),
    "500": Reply(status=500),
    "429": Reply(status=429, headers={"Retry-After": "2"}),
    "mid-body": Reply(status=200, body=b"x" * 100, cut=-50),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_sink_gets_all_events_after_recovery_and_affects_no_other(
    bad: str, site: Site, sinks: tuple[LiveSink, LiveSink], start_nopea: Start
) -> None:
    """The good sink gets every event while the other fails; after recovery, the other has the same events."""
    good, other = sinks
    running = start(start_nopea, site, good.url(), other.url("/topsecret", userinfo="ada:hunter22"))
    repos = [site.sync(name, named(name, 0)) for name in NAMES]
    reply = BAD[bad]
    if reply is None:
        other.shut()
    else:
        other.answer(reply)
    for value in (1, 2):
        for repo in repos:
            push(repo, value)
    for repo in repos:
        expected = ("service.deployed", "service.upgraded", "service.upgraded")
        eventually(partial(assert_service, good, repo, *expected), seconds=SECONDS)
    assert len(other.ids()) < len(good.ids())

    other.answer(OK)
    if reply is None:
        other.open()
    eventually(lambda: assert_same(good, other), seconds=SECONDS)

    assert [(one.headers["ce-type"], wrong(one)) for one in other.taken() if wrong(one)] == []
    assert {one.headers.get("authorization") for one in other.arrivals()} == {"Basic YWRhOmh1bnRlcjIy"}
    assert {one.headers.get("authorization") for one in good.arrivals()} == {None}
    for name in ("cdevents-1", "cdevents-2"):
        assert f'nopea_sink_delivered_total{{sink="{name}"}} {float(len(good.ids()))}' in metrics(running)
    assert running.stop() == 0
    assert "hunter22" not in running.log_text()
    assert "topsecret" not in running.log_text()
    assert running.logs("messages dropped") == []


@pytest.mark.alone
def test_bad_sinks_delay_no_sync(
    site: Site,
    sinks: tuple[LiveSink, LiveSink],
    start_nopea: Start,
) -> None:
    """A sync takes as long with a sink that is down, slow, hanging or failing as with good sinks."""
    good, other = sinks
    running = start(start_nopea, site, good.url(), other.url())
    repo = site.sync("one", named("one", 0))
    value = 0
    seconds: dict[str, list[float]] = {"good": [], "bad": []}
    for reply in (OK, None, OK, Reply(delay=1.0), OK, HANG, OK, Reply(status=500)):
        other.answer(reply or OK)
        if reply is None:
            other.shut()
        for _ in range(5):
            value += 1
            commit = push(repo, value)
            took = [line["seconds"] for line in running.logs("sync finished", commit=commit, configured=1)]
            assert len(took) == 1
            seconds["good" if reply is OK else "bad"].append(took[0])
        if reply is None:
            other.open()
    medians = {name: statistics.median(values) for name, values in seconds.items()}

    assert medians["bad"] < 2 * medians["good"] + 0.05, seconds


def test_a_restart_emits_no_second_deployment(
    site: Site, sinks: tuple[LiveSink, LiveSink], start_nopea: Start
) -> None:
    """After a restart, the next change emits service.upgraded, not another service.deployed."""
    good, _ = sinks
    first = start(start_nopea, site, good.url())
    repo = site.sync("one", named("one", 0))
    eventually(lambda: assert_service(good, repo, "service.deployed"))
    assert first.stop() == 0

    second = start(start_nopea, site, good.url())
    repo.sync_and_wait(seconds=SECONDS)
    push(repo, 1)
    eventually(lambda: assert_service(good, repo, "service.deployed", "service.upgraded"))
    assert second.stop() == 0

    assert_service(good, repo, "service.deployed", "service.upgraded")


def test_sigterm_flushes_queued_events(
    site: Site, sinks: tuple[LiveSink, LiveSink], start_nopea: Start
) -> None:
    """Events that are still queued for a slow sink are delivered before the process ends."""
    good, slow = sinks
    slow.answer(Reply(delay=0.2))
    running = start(start_nopea, site, good.url(), slow.url())
    repos = [site.sync(name, named(name, 0)) for name in NAMES]
    for repo in repos:
        eventually(partial(assert_service, good, repo, "service.deployed"), seconds=SECONDS)
    assert len(slow.ids()) < len(good.ids())
    running.signal(signal.SIGTERM)

    assert running.wait() == 0
    assert slow.ids() == good.ids()
    assert running.logs("messages dropped") == []


def test_a_hanging_sink_does_not_delay_the_shutdown(
    site: Site, sinks: tuple[LiveSink, LiveSink], start_nopea: Start
) -> None:
    """The flush ends within --shutdown-seconds, and the log has the number of dropped events."""
    _, hangs = sinks
    hangs.answer(HANG)
    running = start(start_nopea, site, hangs.url(), options=("--shutdown-seconds=4",))
    site.sync("one", named("one", 0))
    running.signal(signal.SIGTERM)

    assert running.wait() == 0
    began, ended = (
        datetime.fromisoformat(running.logs(message)[0]["time"]) for message in ("draining", "stopped")
    )
    assert (ended - began).total_seconds() <= 4
    (line,) = running.logs("messages dropped")
    assert (line["sink"], line["reason"]) == ("cdevents-1", "shutdown")
    assert line["count"] >= 1
