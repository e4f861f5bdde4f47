"""Connections between machines: noticed when they break, cut so that both ends wake up."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

# A machine that is gone says nothing: after this many seconds of silence it is asked, every so often, so many times.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


def _socket_of(link: Connection[Any, Any]) -> socket.socket:
    """A second handle on the connection's socket."""
    return socket.socket(fileno=os.dup(link.fileno()))


def shut(link: Connection[Any, Any]) -> None:
    """Cut it, and wake whoever waits at either end."""
    with suppress(OSError), _socket_of(link) as handle:
        handle.shutdown(socket.SHUT_RDWR)


def prepare(link: Connection[Any, Any]) -> None:
    """Send at once, and notice when the machine at the other end is gone without a word."""
    with suppress(OSError), _socket_of(link) as handle:
        # short messages follow each other: without this each would wait for the word that the last one has come, 40 ms
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            option = getattr(socket, name, None)
            if option is not None:
                handle.setsockopt(socket.IPPROTO_TCP, option, value)
