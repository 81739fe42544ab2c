"""Who is at the other end of a connection of this machine."""

import os
import socket
import sys

import pytest

from rag_app.models.llm.listeners import (
    LEFT,
    find_connection_owner,
    find_person,
    is_own_connection,
    is_strangers_connection,
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the user of a connection")
def test_a_connection_is_ours_by_both_of_its_ends():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert is_own_connection(client.getsockname(), server.getsockname())
            other_port = server.getsockname()[1] ^ 1
            assert not is_own_connection(client.getsockname(), ("127.0.0.1", other_port))
            client.shutdown(socket.SHUT_WR)
            assert is_own_connection(client.getsockname(), server.getsockname())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the user of a connection")
def test_nobody_knows_whose_a_connection_was_that_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, ends = server.accept()[0], (client.getsockname(), server.getsockname())
        with accepted:
            assert not is_strangers_connection(*ends)
            client.close()
            assert find_person(*ends) == LEFT and is_strangers_connection(*ends) and not is_own_connection(*ends)
        assert find_person(*ends) == LEFT, "when we have closed it, too"


@pytest.mark.skipif(sys.platform != "linux" or not socket.has_dualstack_ipv6(), reason="needs a socket for both")
def test_a_connection_over_ipv4_to_a_socket_of_ipv6_is_found():
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server,
        socket.create_connection(("127.0.0.1", server.getsockname()[1])) as client,
    ):
        accepted, (address, port, *_) = server.accept()
        with accepted:
            assert address == "::ffff:127.0.0.1" and client.getsockname()[1] == port
            ends = (address, port), accepted.getsockname()[:2]
            assert is_own_connection(*ends) and find_person(*ends) != LEFT
            assert find_connection_owner(address, port) == os.getuid()


def test_of_a_name_in_place_of_an_address_nothing_is_told():
    assert find_person(("testclient", 50000), ("testserver", 80)) is None
