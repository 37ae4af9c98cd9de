"""A proxy that breaks the first answer off in its middle."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxied:
    url: str
    cut: list[str] = field(default_factory=list)
    """The requests whose answers were broken off."""


@contextlib.contextmanager
def cutting_proxy(url: str) -> Iterator[Proxied]:
    target = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    proxied = Proxied(f"http://127.0.0.1:{listener.getsockname()[1]}{target.path}")

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection((target.hostname, target.port))
            threading.Thread(target=to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=to_client, args=(client, server), daemon=True).start()

    requests: dict[socket.socket, str] = {}

    def to_server(client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                line = data.split(b"\r\n", 1)[0].decode("latin-1")
                if line.endswith(" HTTP/1.1"):
                    requests[server] = line.removesuffix(" HTTP/1.1")
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def to_client(client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                client.sendall(data)
                if not proxied.cut:  # the answer has begun, as it says where to go on
                    proxied.cut.append(requests[server])
                    break
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield proxied
    finally:
        listener.close()
