"""The lab's client of its servers: one request over TLS, and the answer whatever its status."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nopea_lab.api import ApiAnswer, Client
from nopea_lab.certificates import CertificateFolder


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer 404 with the caller: its token, or whether it has a certificate."""
        assert isinstance(self.connection, ssl.SSLSocket)
        who = self.headers.get("Authorization") or ("somebody" if self.connection.getpeercert() else "nobody")
        self._answer(404, who.encode())

    def do_POST(self) -> None:
        """Return the body that came."""
        self._answer(201, self.rfile.read(int(self.headers["Content-Length"])))

    def do_DELETE(self) -> None:
        """Answer with what is not HTTP."""
        self.wfile.write(b"nonsense\r\n\r\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Write nothing."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """A lab's certificates."""
    folder = CertificateFolder(tmp_path_factory.mktemp("certificates") / "pki")
    folder.make()
    return folder


@contextmanager
def _serving(certificates: CertificateFolder) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate("apiserver"), certificates.key("apiserver"))
    context.load_verify_locations(certificates.certificate("ca"))
    context.verify_mode = ssl.CERT_OPTIONAL
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


def test_a_body_goes_out_and_comes_back_as_json(certificates: CertificateFolder) -> None:
    """What is not JSON is returned as a string, and no status is an error."""
    with _serving(certificates) as port:
        client = Client(port=port, authority=certificates.certificate("ca"))

        assert client.request("POST", "/", {"a": [1]}) == ApiAnswer(201, {"a": [1]})
        assert client.request("GET", "/") == ApiAnswer(404, "nobody")


def test_a_token_is_used_instead_of_the_certificate(certificates: CertificateFolder) -> None:
    """With both given, the token says who asks."""
    with _serving(certificates) as port:
        admin = Client(
            port=port,
            authority=certificates.certificate("ca"),
            certificate=certificates.certificate("admin"),
            key=certificates.key("admin"),
        )

        assert admin.request("GET", "/").body == "somebody"
        assert replace(admin, token="t").request("GET", "/").body == "Bearer t"


def test_an_answer_that_is_not_http_is_a_connection_error(certificates: CertificateFolder) -> None:
    """Callers catch OSError only."""
    with _serving(certificates) as port:
        client = Client(port=port, authority=certificates.certificate("ca"))

        with pytest.raises(ConnectionError, match="DELETE /"):
            client.request("DELETE", "/")


def test_a_server_of_another_authority_is_refused(certificates: CertificateFolder) -> None:
    """etcd's authority does not vouch for the API server."""
    with _serving(certificates) as port, pytest.raises(ssl.SSLError):
        Client(port=port, authority=certificates.certificate("etcd-ca")).request("GET", "/")
