"""A Globus Transfer that lists one file, after 50 ms, for whoever asks.

    python -m bench.slow_side

Prints its port.
"""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = 0.05
ANSWER = (
    b'{"DATA_TYPE": "file_list", "path": "/sensors/", "request_id": "bench", '
    b'"DATA": [{"DATA_TYPE": "file", "name": "a", "type": "file", "size": 1, '
    b'"last_modified": "2026-01-01 00:00:00+00:00"}]}'
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else 40 ms more for the body of each answer

    def do_GET(self) -> None:
        time.sleep(SECONDS)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
