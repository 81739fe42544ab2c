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
LEFT = -1  # in place of a user id: the client has closed its end, so that the system no longer tells whose it was


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
    here = _pack(address), port
    owners = {one.owner for one in _sockets() if one.state == CONNECTED and one.local == here}
    return owners.pop() if len(owners) == 1 else None


def is_own_connection(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether this user's process is at the client's end of that connection; False where the system does not tell."""
    return os.name == "posix" and _find_owner(client, server) == os.getuid()


def find_person(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user id of the person of this machine at the client's end of a connection; LEFT once it is closed there.

    None for other machines, for services of the system, as proxies are, for a client whose network only a container
    knows, and where the system does not tell. Once a client has left, nobody can say whose it was: the system names
    the administrator, or nobody.
    """
    owner = _find_owner(client, server)
    return None if owner is None or 0 <= owner < FIRST_PERSON else owner


def is_strangers_connection(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether another person's process is at the client's end, or was before it left.

    False where the system does not tell.
    """
    person = find_person(client, server)
    return person is not None and person != os.getuid()


def _find_owner(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The user id at the client's end of a connection, LEFT where it is closed, None where the system does not tell.

    Both ends are compared: two connections to different servers may have one port of the client in common.
    """
    try:
        ends = tuple((_pack(address), port) for address, port in (client, server))
    except ValueError:  # the name of a socket
        return None
    for _ in range(2):  # a list that changes while it is read may lack a line
        sockets = list(_sockets())
        theirs = next((one for one in sockets if (one.local, one.remote) == ends), None)
        if theirs is not None:
            return theirs.owner if theirs.held else LEFT
        if not sockets or any((one.remote, one.local, one.state) == (*ends, CONNECTED) for one in sockets):
            return None
    return LEFT


def _pack(address: str) -> bytes:
    """The address as `_sockets` tells it. An IPv6 socket that takes IPv4, too, calls it ::ffff:127.0.0.1."""
    return ipaddress.ip_address(address).packed.removeprefix(_MAPPED)


@dataclass(frozen=True)
class _Socket:
    """A TCP socket: addresses (IPv4 also where it stands in IPv6) with ports, state and user id."""

    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    state: str
    owner: int
    held: bool  # by a process; the owner of one that is closed is told as 0


def _sockets() -> Iterator[_Socket]:
    """All TCP sockets of this machine; none where the system does not tell."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                yield _Socket(_read_end(fields[1]), _read_end(fields[2]), fields[3], int(fields[7]), fields[9] != "0")


def _read_end(text: str) -> tuple[bytes, int]:
    host, _, port = text.rpartition(":")
    words = (int(host[at : at + 8], 16) for at in range(0, len(host), 8))
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return packed.removeprefix(_MAPPED) if len(packed) == 16 else packed, int(port, 16)
