"""`mcp`: the library as a server of the Model Context Protocol, for one agent, over standard input and output."""

from __future__ import annotations

from argparse import Namespace

from rag_app.cli.session import ready_assistant
from rag_app.server.api.links import base_of


def run(options: Namespace) -> int:
    """Serve until the agent closes the input. Over HTTP, `serve` does it at /mcp."""
    from rag_app.server.api.mcp_tools import make_mcp  # noqa: PLC0415  # a second of imports

    assistant = ready_assistant()
    make_mcp(assistant, options.page or base_of(assistant.settings)).run("stdio")
    return 0
