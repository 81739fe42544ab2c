"""Another user of this machine: a child process with another uid, which only root can start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

UID = 61234  # nobody's
PYTHON = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")  # ours may lie where others cannot read
needs_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0 or PYTHON is None, reason="only root can be another user"
)


def run_as_other_user(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code of the standard library as the other user, from the root folder."""
    command = [str(PYTHON), "-I", "-S", "-c", code, *arguments]
    return subprocess.run(
        command, cwd="/", user=UID, group=UID, extra_groups=[], capture_output=True, text=True, timeout=60
    )


LISTENER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b'{"data": [{"id": "theirs"}]}')
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def listen_as_other_user() -> Iterator[int]:
    """The port of a model server that the other user runs; it has one model, "theirs"."""
    command = [str(PYTHON), "-I", "-S", "-c", LISTENER]
    with subprocess.Popen(
        command, cwd="/", user=UID, group=UID, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()
