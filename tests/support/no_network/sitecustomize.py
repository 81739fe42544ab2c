"""Loaded by every Python process whose PYTHONPATH names this folder: nothing but this machine can be reached.

What was tried is written to the file that NO_NETWORK_LOG names, one address a line.
"""

from __future__ import annotations

import os
import socket

_REAL = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
_LOOK_UP = socket.getaddrinfo


def _refuse_foreign(host: object) -> None:
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text.lower() in ("", "localhost", "::1") or text.startswith("127."):
        return
    with open(os.environ["NO_NETWORK_LOG"], "a", encoding="utf-8") as log:
        log.write(text + "\n")
    raise OSError(101, f"nothing gets out, not even to {text}")


def _guarded(name: str) -> object:
    def guarded(self: socket.socket, *arguments: object) -> object:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            address = arguments[-1] if name == "sendto" else arguments[0]
            _refuse_foreign(address[0])  # type: ignore[index]
        return _REAL[name](self, *arguments)

    return guarded


def _guarded_look_up(host: object, *arguments: object, **more: object) -> object:
    _refuse_foreign(host)
    return _LOOK_UP(host, *arguments, **more)  # type: ignore[arg-type]


for _name in _REAL:
    setattr(socket.socket, _name, _guarded(_name))
socket.getaddrinfo = _guarded_look_up  # type: ignore[assignment]
