"""A server that does with a request what it was told to do, honest or not."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Far(BaseHTTPRequestHandler):
    """Does with a request what the server was told to do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        seen = (self.command, self.path, dict(self.headers), self.rfile.read(length))
        self.server.seen.append(seen)
        self.close_connection = True
        try:
            self.server.does(self)
        except OSError:
            self.server.was_cut.set()

    do_POST = do_CONNECT = do_GET

    def log_message(self, *args):
        """Quiet."""


class FarServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, does, context=None):
        super().__init__(("127.0.0.1", 0), Far)
        if context is not None:
            # The handshake belongs to the connection's own thread.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.does = does
        self.seen = []
        self.was_cut = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def far_server(does, context=None):
    server = FarServer(does, context)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answers(status=200, body=b"{}", **headers):
    def does(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return does


def drips(seconds=0.05, start=b""):
    """A byte now and then: no single read ever waits for long."""

    def does(handler):
        handler.wfile.write(start)
        pause = threading.Event()
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            pause.wait(seconds)

    return does


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
