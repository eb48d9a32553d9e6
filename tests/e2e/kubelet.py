"""A node of the test's own: the API server asks its kubelet for the log of a container."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nopea_lab.lab import Lab

_SECONDS = 30.0


class Kubelet(ThreadingHTTPServer):
    """Serves `lines` as the log of every container; a reader that follows gets later ones, too."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines: list[bytes] = []
        self.asked: list[str] = []
        self.more = threading.Condition()
        self.is_over = False

    def write(self, line: bytes) -> None:
        """Write a line, as a container does."""
        with self.more:
            self.lines.append(line + b"\n")
            self.more.notify_all()

    def end(self) -> None:
        """End all answers."""
        with self.more:
            self.is_over = True
            self.more.notify_all()


class _Handler(BaseHTTPRequestHandler):
    server: Kubelet

    def do_GET(self) -> None:
        """Answer a request for a log."""
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        sent = 0
        follow = "follow=true" in self.path
        while True:
            with self.server.more:
                while follow and sent == len(self.server.lines) and not self.server.is_over:
                    self.server.more.wait(_SECONDS)
                chunk, sent = b"".join(self.server.lines[sent:]), len(self.server.lines)
            try:
                self.wfile.write(chunk)
                self.wfile.flush()
            except OSError:
                return
            if not follow or self.server.is_over:
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Print nothing."""


def _certificate(folder: Path) -> Path:
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")]),
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "node.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@contextmanager
def kubelet(lab: Lab, node: str, folder: Path) -> Iterator[Kubelet]:
    """Run a kubelet, and have a Node that names its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    with Kubelet() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        made = lab.request(
            "POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}
        )
        assert made.status == 201, made.body
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
        }
        kind = "application/merge-patch+json"
        made = lab.request("PATCH", f"/api/v1/nodes/{node}/status", {"status": status}, content_type=kind)
        assert made.status == 200, made.body
        try:
            yield server
        finally:
            server.end()
            lab.request("DELETE", f"/api/v1/nodes/{node}")
            server.shutdown()
            thread.join()
