"""A proxy before a registry that makes it slow, or has it say that too much was asked."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from typing import Any

PIECE = 64 * 1024


class Between:
    """Passes requests on to `host`. `bytes_per_second` bounds each answer; `is_busy` answers 429 by itself."""

    def __init__(self, host: str) -> None:
        self.upstream = host
        self.bytes_per_second: int | None = None
        self.is_busy = False
        self.refused = 0
        # Bytes of answers that were passed on, by path.
        self.passed: dict[str, int] = {}
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

            def do_GET(self) -> None:
                between.answer(self)

            do_HEAD = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if self.is_busy:
            self.refused += 1
            handler.send_response(429)
            handler.send_header("Retry-After", "1")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            headers = {"Host": self.upstream, "Accept": handler.headers.get("Accept", "*/*")}
            connection.request(handler.command, handler.path, headers=headers)
            answer = connection.getresponse()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                    handler.send_header(name, value)
            handler.end_headers()
            while piece := answer.read(PIECE):
                handler.wfile.write(piece)
                self.passed[handler.path] = self.passed.get(handler.path, 0) + len(piece)
                if self.bytes_per_second is not None:
                    time.sleep(len(piece) / self.bytes_per_second)
        except OSError:
            handler.close_connection = True
        finally:
            connection.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
