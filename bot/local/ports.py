"""Ports of this machine: whether somebody listens on one, and one that is free."""

import socket


def answers(port: int) -> bool:
    """Return whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_taken(port: int) -> bool:
    """Return whether nobody else can listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that the system offers to nobody else for a minute.

    A connection that has ended on it leaves it in TIME_WAIT: a server may listen there, but the port does not count as free.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # whoever closes first keeps the port waiting
        return port
