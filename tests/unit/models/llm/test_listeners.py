"""Who is at the other end of a connection of this machine."""

import socket
import sys

import pytest

from rag_app.models.llm.listeners import is_own_connection


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
