"""The interfaces for other programs: REST, OpenAI-compatible, MCP; behind the same security as the page."""
