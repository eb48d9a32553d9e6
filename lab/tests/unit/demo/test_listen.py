"""The demo's receiver of CDEvents writes down what arrives."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path

from nopea_lab.demo.listen import Listener


def test_each_event_is_a_line(tmp_path: Path) -> None:
    """Type and subject are what the binary mode has in its headers; the answer lets the sender go on."""
    file = tmp_path / "cdevents"
    with Listener(0, file) as listener:
        listening = threading.Thread(target=listener.serve_forever)
        listening.start()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", listener.server_port, timeout=5)
            for number in (1, 2):
                headers = {"ce-type": "dev.cdevents.service.deployed.0.3.0", "ce-subject": f"shop-{number}"}
                connection.request("POST", "/", b"{}", headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 202
            connection.close()
        finally:
            listener.shutdown()
            listening.join(timeout=5)

    assert file.read_text().splitlines() == [
        "dev.cdevents.service.deployed.0.3.0 shop-1",
        "dev.cdevents.service.deployed.0.3.0 shop-2",
    ]
