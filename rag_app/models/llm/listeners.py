"""Whose process listens at a port of this machine: a server that was only found must not be another user's."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LISTEN = "0A"  # the state in /proc/net/tcp (proc_net_tcp.rst of the Linux kernel)
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
    owners = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    owners.add(int(fields[7]))
    return owners
