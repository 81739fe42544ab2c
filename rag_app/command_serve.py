"""`serve`: the page in the browser."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace

from rag_app.command_library import open_assistant
from rag_app.outputs.terminal import print_json
from rag_app.server.app import open_in_browser, serve


def run_serve(options: Namespace) -> int:
    """Serve until Ctrl-C, which is the usual end and so no failure."""
    given = {"port": options.port, "host": options.host, "root_path": options.root_path}
    assistant = open_assistant(**{name: value for name, value in given.items() if value is not None})
    stdout = sys.stderr if options.json else sys.stdout
    with contextlib.redirect_stdout(stdout):
        page = serve(assistant, assistant.settings, block=False)
    if options.json:
        print_json({"status": "serving", "url": page.url})
    if not options.no_browser:
        open_in_browser(page.url)
    with contextlib.redirect_stdout(stdout):
        page.wait()
    return 0
