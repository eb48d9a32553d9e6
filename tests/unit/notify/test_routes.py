"""When an Alertmanager is sent its alerts, in virtual time; `test_tenants.py` has the messages."""

from __future__ import annotations

from tests.fakes.samples import problem, report
from tests.fakes.transitions import History, synced

from nopea.core.api.notify import ReceiverType
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.lane import NotifyFilter
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.notify.http import Message, Response
from nopea.notify.outbox import Outbox
from nopea.notify.routes import GAP_SECONDS, AlertRoute, Channel

FAILED = report(Result.FAILED, problems=[problem(Code.FORBIDDEN)])


async def accept(_: Message) -> Response:
    """Accept every message."""
    return Response(status=200)


async def test_changes_are_sent_together_and_alerts_again() -> None:
    """Many changes within some seconds are one message; without a change there is one a minute."""
    outbox = Outbox("alerts", accept)
    address = ReceiverAddress.parse("https://am.acme.example/")
    route = AlertRoute(Channel(ReceiverType.ALERTMANAGER, address, outbox), NotifyFilter(), cluster="")
    first, second = History(name="a"), History(name="b")
    route.observe(first.did(FAILED), now=0.0, is_first=True)
    assert route.release(now=0.0) is not None
    route.observe(second.did(FAILED), now=1.0, is_first=True)
    assert route.release(now=1.0) == GAP_SECONDS
    assert outbox.stats().queued == 1
    again = route.release(now=GAP_SECONDS)
    assert outbox.stats().queued == 2
    assert again is not None
    assert again > 60
    route.observe(first.did(synced()), now=30.0, is_first=False)
    route.observe(second.did(synced()), now=30.0, is_first=False)
    assert route.release(now=30.0) is None
    assert outbox.stats().queued == 3
