"""Whose process is at the other end on this machine: a server whose address nobody named must not be another's."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
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
    return {one.owner for one in _sockets() if one.state == LISTEN and one.local[1] == port}


def find_connection_owner(address: str, port: int) -> int | None:
    """The user id of the process of this machine that is connected from there; None where the system does not tell."""
    here = ipaddress.ip_address(address).packed, port
    owners = {one.owner for one in _sockets() if one.state == CONNECTED and one.local == here}
    return owners.pop() if len(owners) == 1 else None


def is_own_connection(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether this user's process is at the client's end of that connection; False where the system does not tell."""
    return os.name == "posix" and _find_owners(client, server) == {os.getuid()}


def is_strangers_connection(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether another person's process is at the client's end; services of the system, as proxies are, are none.

    False where the system does not tell.
    """
    return any(owner >= FIRST_PERSON and owner != os.getuid() for owner in _find_owners(client, server))


def _find_owners(client: tuple[str, int], server: tuple[str, int]) -> set[int]:
    """The user ids at the client's end of a connection; empty where the system does not tell.

    Both ends are compared: two connections to different servers may have one port of the client in common.
    """
    try:
        ends = tuple((ipaddress.ip_address(address).packed, port) for address, port in (client, server))
    except ValueError:  # the name of a socket
        return set()
    return {one.owner for one in _sockets() if (one.local, one.remote) == ends}


@dataclass(frozen=True)
class _Socket:
    """A TCP socket: addresses (IPv4 also where it stands in IPv6) with ports, state and user id."""

    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    state: str
    owner: int


def _sockets() -> Iterator[_Socket]:
    """All TCP sockets of this machine; none where the system does not tell."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                yield _Socket(_read_end(fields[1]), _read_end(fields[2]), fields[3], int(fields[7]))


def _read_end(text: str) -> tuple[bytes, int]:
    host, _, port = text.rpartition(":")
    words = (int(host[at : at + 8], 16) for at in range(0, len(host), 8))
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return packed.removeprefix(_MAPPED) if len(packed) == 16 else packed, int(port, 16)
