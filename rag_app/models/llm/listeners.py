"""Whose process is at the other end on this machine: a server whose address nobody named must not be another's."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CONNECTED, LISTEN = "01", "0A"  # states in /proc/net/tcp (proc_net_tcp.rst of the Linux kernel)
_MAPPED = bytes(10) + b"\xff\xff"  # before an IPv4 address in an IPv6 socket
FIRST_PERSON = 1000  # user ids below belong to services of the system, above to people


def is_ours(port: int) -> bool:
    """Whether everybody who listens at `port` is this user or a service of the system.

    True where the system does not tell (not Linux): what listens there is then believed.
    """
    owners = find_listeners(port)
    return all(owner == os.getuid() or owner < FIRST_PERSON for owner in owners) if owners else True


def find_strangers(port: int) -> set[int]:
    """The user ids, other than this user's, of the processes that listen at `port`.

    Services of the system are strangers, too. Empty where nobody listens or the system does not tell.
    """
    owners = find_listeners(port)
    return owners - {os.getuid()} if owners else owners


def find_listeners(port: int) -> set[int]:
    """The user ids of the processes that listen at `port`; empty where nobody does or the system does not tell."""
    return {owner for _, at, state, owner in _sockets() if state == LISTEN and at == port}


def find_connection_owner(address: str, port: int) -> int | None:
    """The user id of the process of this machine that is connected from there; None where the system does not tell."""
    packed = ipaddress.ip_address(address).packed
    owners = {
        owner
        for host, at, state, owner in _sockets()
        if state == CONNECTED and at == port and host in (packed, _MAPPED + packed)
    }
    return owners.pop() if len(owners) == 1 else None


def _sockets() -> Iterator[tuple[bytes, int, str, int]]:
    """Local address, local port, state and user id of each TCP socket; none where the system does not tell."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                host, _, port = fields[1].rpartition(":")
                words = (int(host[at : at + 8], 16) for at in range(0, len(host), 8))
                yield (
                    b"".join(word.to_bytes(4, sys.byteorder) for word in words),
                    int(port, 16),
                    fields[3],
                    int(fields[7]),
                )
