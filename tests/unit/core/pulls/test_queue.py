"""Which pull request is planned next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.objects import RepoKey
from nopea.core.pulls.queue import GAP_SECONDS, MOST_TRIES, MOST_WAITING, PlanQueue, PlanRequest
from nopea.core.webhooks.delivery import PullRequest


def request(number: int = 7, *, namespace: str = "shop", name: str = "web", commit: str = "a") -> PlanRequest:
    """Return a request for a pull request of a repository."""
    pull = PullRequest(number, "more", "main", commit * 40)
    return PlanRequest(repository=RepoKey(namespace, name), pull_request=pull)


def test_the_latest_commit_replaces_the_one_that_waits() -> None:
    """Other pull requests and repositories are others."""
    queue = PlanQueue()
    for each in (request(commit="a"), request(8), request(name="api"), request(commit="b")):
        queue.put(each, now=0)

    taken = [queue.take(now=0) for _ in range(4)]

    assert taken == [request(commit="b"), request(8), request(name="api"), None]


def test_namespaces_take_turns() -> None:
    """Who has many pull requests does not hold up another."""
    queue = PlanQueue()
    for number in (1, 2, 3):
        queue.put(request(number, namespace="a"), now=0)
    queue.put(request(4, namespace="b"), now=0)

    order = [each.pull_request.number for _ in range(4) if (each := queue.take(now=0))]

    assert order == [1, 4, 2, 3]


def test_a_pull_request_is_planned_once_at_a_time_and_not_too_often() -> None:
    """Two plans at once could be commented in the wrong order."""
    queue = PlanQueue()
    queue.put(request(), now=0)
    first = queue.take(now=0)
    assert first is not None
    queue.put(request(commit="b"), now=1)

    assert queue.take(now=GAP_SECONDS) is None
    assert queue.next_at() is None
    queue.done(first)
    assert queue.next_at() == GAP_SECONDS
    assert queue.take(now=GAP_SECONDS - 1) is None
    assert queue.take(now=GAP_SECONDS) == request(commit="b")


def test_tries_are_bounded() -> None:
    """A server that is down for long gets no comment; a newer commit starts again."""
    queue, now = PlanQueue(), 0.0
    queue.put(request(), now=now)
    tried = 0
    while (taken := queue.take(now=now)) is not None:
        tried += 1
        queue.retry(taken, now=now, after=60)
        queue.done(taken)
        now += 60

    assert tried == MOST_TRIES
    queue.put(request(), now=now)
    again = queue.take(now=now)
    assert again is not None
    queue.put(request(commit="b"), now=now)
    assert not queue.retry(again, now=now, after=1)
    assert len(queue) == 1


def test_the_namespace_with_the_most_gives_room() -> None:
    """Its oldest request goes."""
    queue = PlanQueue()
    queue.put(request(1, namespace="b"), now=0)
    dropped = [queue.put(request(number, namespace="a"), now=0) for number in range(1, MOST_WAITING + 1)]

    assert len(queue) == MOST_WAITING
    assert [each for each in dropped if each] == [request(1, namespace="a")]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans()), max_size=40))
def test_every_request_is_taken_in_the_end(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever the order of puts and takes is, and none of a pull request while another of it runs."""
    queue, now, last = PlanQueue(), 0.0, {}
    seen: dict[object, str] = {}

    def take() -> None:
        taken = queue.take(now=now)
        if taken is not None:
            seen[taken.subject] = taken.pull_request.commit
            queue.done(taken)

    for count, (namespace, number, takes) in enumerate(steps):
        one = request(number, namespace=namespace, commit=f"{count:x}"[-1])
        queue.put(one, now=now)
        last[one.subject] = one.pull_request.commit
        now += 1
        if takes:
            take()
    while (due := queue.next_at()) is not None:
        now = max(now, due)
        take()

    assert seen == last
    assert len(queue) == 0
