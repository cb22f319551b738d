"""A proxy that speaks TLS in front of a server, as an operator would put one there."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

from .tools import run

CONNECTIONS_MAX = 64


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = directory / "proxy.crt", directory / "proxy.key"
    # fmt: off
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=tonnage test", "-addext", "subjectAltName=IP:127.0.0.1",
        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate)
    # fmt: on
    return certificate, key


class TlsProxy:
    """Passes connections on to a port of this machine until it is closed."""

    def __init__(self, directory: Path, port: int) -> None:
        self.certificate, key = make_certificate(directory)
        self.behind = port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:{}".format(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> TlsProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _accept(self) -> None:
        for _ in range(CONNECTIONS_MAX):
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            secure = self.context.wrap_socket(client, server_side=True)
        except (ssl.SSLError, OSError):
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self.behind))
        threading.Thread(target=_pump, args=(server, secure), daemon=True).start()
        _pump(secure, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        # Ends the other direction, too.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
