"""The server below a portal: it listens on this machine only, and sends answers whole, in half or for ever."""

from __future__ import annotations

import socket
import socketserver
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal

from portal_words import Answer

_DRIP_SECONDS = 0.02
Manner = Literal["whole", "half", "slow"]
"""How an answer is sent."""
Answering = Callable[[str, str, dict[str, str], bytes], tuple[Answer, Manner]]
"""What gives the answer to a method, target, headers by names in small letters, and body."""


class Server(ThreadingHTTPServer):
    """A server with a thread for each connection, which it hangs up when it closes."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.live: set[socket.socket] = set()
        self.failures: list[BaseException] = []
        self.closing = Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = Thread(target=self.serve_forever, args=(0.02,), name=f"portal at {self.url}")
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Take an address without asking who has it, which might leave this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def end(self) -> None:
        """Hang up all connections and close."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        for one in tuple(self.live):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what broke; a client that hung up is none of that."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            self.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def setup(self) -> None:
        """Begin, to be hung up when the server ends."""
        super().setup()
        self.server.live.add(self.connection)

    def finish(self) -> None:
        """End."""
        self.server.live.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, manner = self.server.answering(self.command, self.path, headers, body)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(1_000_000_000 if manner == "slow" else len(answer.body)))
        self.end_headers()
        if self.command == "HEAD" or answer.status == 204:
            return
        self.close_connection = self.close_connection or manner != "whole"
        if manner == "slow":
            self._drip(answer.body or b" ")
        else:
            self.wfile.write(answer.body[: len(answer.body) // 2] if manner == "half" else answer.body)

    def _drip(self, body: bytes) -> None:
        """Send a body byte by byte, again and again, until the client has enough."""
        place = 0
        while not self.server.closing.wait(_DRIP_SECONDS):
            self.wfile.write(body[place % len(body) :][:1])
            place += 1

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815
