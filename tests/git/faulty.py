"""Loopback Git servers that misbehave: silent, slow or endless ones, and ones that send wrong data."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, bytes], None]

ADVERTISEMENT = b"Content-Type: application/x-git-upload-pack-advertisement\r\n"
RESULT = b"Content-Type: application/x-git-upload-pack-result\r\n"
COMMIT = "a" * 40


class FaultyServer:
    """Pass each request to the behaviour and record it in `requests`."""

    def __init__(self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._behaviour = behaviour
        self._tls = tls
        self._closing = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def url(self, name: str = "shop.git", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Return a URL on this server; the repository's name does not matter."""
        return f"{scheme}://{host}:{self.port}/{name}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections it has accepted."""
        return len(self._threads)

    def __enter__(self) -> FaultyServer:
        self._accepting.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            stack.enter_context(connection)
            if self._tls is not None:
                connection = stack.enter_context(self._tls.wrap_socket(connection, server_side=True))
                self._open.append(connection)
            while request := _request(connection):
                self.requests.append(request)
                self._behaviour(connection, request)


def _request(connection: socket.socket) -> bytes:
    """Read a request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < size:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(status: str, *, headers: bytes = b"", body: bytes = b"", length: int | None = None) -> bytes:
    """Return an HTTP response; `length` replaces its Content-Length."""
    size = len(body) if length is None else length
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status.encode(), headers, size, body)


def line(text: bytes) -> bytes:
    """Return a pkt-line."""
    return b"%04x%b" % (len(text) + 4, text)


def refs() -> bytes:
    """Return an advertisement of one branch."""
    first = f"{COMMIT} refs/heads/main\0side-band-64k ofs-delta agent=git/2\n".encode()
    return line(b"# service=git-upload-pack\n") + b"0000" + line(first) + b"0000"


def always(data: bytes) -> Behaviour:
    """Give every request the same answer."""
    return lambda connection, _: connection.sendall(data)


def silent(connection: socket.socket, _: bytes) -> None:
    """Accept the request and send nothing."""
    connection.recv(1)


def hang_up(connection: socket.socket, _: bytes) -> None:
    """Close the connection without a response."""
    connection.shutdown(socket.SHUT_RDWR)


def drip_refs(connection: socket.socket, _: bytes) -> None:
    """Send the refs at ten bytes per second, without ever completing the announced length."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + ADVERTISEMENT + b"Content-Length: 100000\r\n\r\n")
    for byte in refs() + b" " * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def endless_refs(connection: socket.socket, _: bytes) -> None:
    """Send refs endlessly, as fast as the client reads them."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + ADVERTISEMENT + b"Transfer-Encoding: chunked\r\n\r\n")
    _chunk(connection, line(b"# service=git-upload-pack\n") + b"0000")
    for block in _ref_blocks():
        _chunk(connection, block)


def _ref_blocks() -> Iterator[bytes]:
    number = 0
    while True:
        lines = []
        for _ in range(1000):
            number += 1
            name = f"{COMMIT} refs/heads/{'b' * 200}{number}".encode()
            lines.append(line(name + (b"\0ofs-delta\n" if number == 1 else b"\n")))
        yield b"".join(lines)


def _chunk(connection: socket.socket, data: bytes) -> None:
    connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))


def packing(send_pack: Behaviour) -> Behaviour:
    """List one branch, and let `send_pack` answer the request for its pack."""

    def behave(connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"GET"):
            connection.sendall(answer("200 OK", headers=ADVERTISEMENT, body=refs()))
        else:
            send_pack(connection, request)

    return behave


_PACK_BEGINS = b"HTTP/1.1 200 OK\r\n" + RESULT + b"Content-Length: 1000000\r\n\r\n" + line(b"NAK\n")
_PACK_HEAD = line(b"\x01PACK\0\0\0\x02\0\0\0\x09")


def stop_in_pack(connection: socket.socket, request: bytes) -> None:
    """Start a pack and send nothing more."""
    connection.sendall(_PACK_BEGINS + _PACK_HEAD)
    silent(connection, request)


def cut_in_pack(connection: socket.socket, request: bytes) -> None:
    """Start a pack and close the connection."""
    connection.sendall(_PACK_BEGINS + _PACK_HEAD)
    hang_up(connection, request)


def garbage_pack(connection: socket.socket, _: bytes) -> None:
    """Send invalid data in place of a pack."""
    body = line(b"NAK\n") + line(b"\x01PACK\0\0\0\x02\0\0\0\x09" + b"\xff" * 200) + b"0000"
    connection.sendall(answer("200 OK", headers=RESULT, body=body))


def drip_pack(connection: socket.socket, _: bytes) -> None:
    """Send a pack slowly, with one frame every twentieth of a second."""
    connection.sendall(_PACK_BEGINS + _PACK_HEAD)
    for _number in range(10_000):
        connection.sendall(line(b"\x01\x95"))
        time.sleep(0.05)


def big_pack(size: int) -> Behaviour:
    """Send about `size` bytes of a good pack at once, and then only keep the connection open."""
    blobs = bytearray()
    while len(blobs) < size:
        blobs += b"\xb0\x80\x20" + zlib.compress(os.urandom(65536), 0)  # a blob of 64 KiB
    pack = b"PACK\0\0\0\x02\0\0\x27\x10" + bytes(blobs)  # of 10,000 objects

    def send(connection: socket.socket, _: bytes) -> None:
        headers = b"HTTP/1.1 200 OK\r\n" + RESULT + b"Content-Length: 1000000000\r\n\r\n"
        connection.sendall(headers + line(b"NAK\n"))
        for start in range(0, len(pack), 65000):
            connection.sendall(line(b"\x01" + pack[start : start + 65000]))
        for _number in range(10_000):
            connection.sendall(line(b"\x02."))
            time.sleep(0.2)

    return packing(send)


class Relay:
    """A real server behind a gate: requests whose bytes begin with `held` wait until `gate` is set."""

    def __init__(self, port: int, *, held: bytes = b"POST") -> None:
        self.gate = threading.Event()
        self.waiting = threading.Event()
        self._port = port
        self._held = held
        self._server = FaultyServer(self._relay)
        self.url = self._server.url
        self.requests = self._server.requests

    def __enter__(self) -> Relay:
        self._server.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.gate.set()
        self._server.__exit__(*exc)

    def _relay(self, connection: socket.socket, request: bytes) -> None:
        if request.startswith(self._held):
            self.waiting.set()
            self.gate.wait()
        with socket.create_connection(("127.0.0.1", self._port)) as upstream:
            head, _, body = request.partition(b"\r\n\r\n")
            upstream.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            while data := upstream.recv(65536):
                connection.sendall(data)
