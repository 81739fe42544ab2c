"""A server that speaks Zotero's local API as documented: collections, items, attachments, where a file lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass
class ZoteroLibrary:
    """What Zotero has. `fail_after`: the connection breaks at that request; `forbidden`: the API is switched off."""

    collections: dict[str, str] = field(default_factory=dict)  # key -> name
    items: list[dict] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)  # attachment -> file
    requests: list[str] = field(default_factory=list)
    fail_after: int = 0
    forbidden: bool = False

    def add(
        self, key: str, title: str, file: Path, collection: str = "", tags: tuple[str, ...] = (), **data: object
    ) -> None:
        """An item with one PDF."""
        tagged = [{"tag": tag} for tag in tags]
        kept = {"itemType": "preprint", "title": title, "collections": [collection], "tags": tagged, **data}
        csl = {"id": f"http://zotero.org/{key}", "type": "article", "title": title}
        csl |= {"author": [{"family": "Lovelace", "given": "Ada"}], "issued": {"date-parts": [["2021", 5]]}}
        self.items.append({"key": key, "version": 1, "data": {"key": key, **kept}, "csljson": csl})
        attachment = f"{key[:-1]}A"
        self.items.append(
            {
                "key": attachment,
                "data": {
                    "key": attachment,
                    "itemType": "attachment",
                    "parentItem": key,
                    "contentType": "application/pdf",
                    "linkMode": "imported_file",
                    "filename": file.name,
                },
            }
        )
        self.files[attachment] = file

    def remove(self, key: str) -> None:
        self.items = [item for item in self.items if key not in (item["key"], item["data"].get("parentItem"))]

    def find(self, path: str, asked: dict[str, str]) -> list[dict] | None:
        """The items of a listing; None for an address that there is not."""
        if path == "/api/users/0/collections":
            return [{"key": key, "data": {"key": key, "name": name}} for key, name in self.collections.items()]
        top = [item for item in self.items if item["data"]["itemType"] != "attachment"]
        if path == "/api/users/0/items":
            return [item for item in self.items if item["data"]["itemType"] == asked.get("itemType")]
        if path.endswith("/items/top") and path.startswith("/api/users/0/collections/"):
            wanted = path.split("/")[5]
            top = [item for item in top if wanted in item["data"]["collections"]]
        elif path != "/api/users/0/items/top":
            return None
        tag = asked.get("tag")
        return [item for item in top if not tag or {"tag": tag} in item["data"]["tags"]]


@contextmanager
def serve_zotero(library: ZoteroLibrary) -> Iterator[str]:
    """Serve it on a free port of this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            library.requests.append(self.path)
            if library.fail_after and len(library.requests) >= library.fail_after:
                self.connection.close()
                return
            parts = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
            if library.forbidden:
                return self._send(403, b"Local API is not enabled", "text/plain")
            if parts.path.endswith("/file/view/url"):
                file = library.files.get(parts.path.split("/")[5])
                if file is None:
                    return self._send(404, b"Not found", "text/plain")
                return self._send(200, file.as_uri().encode(), "text/plain")
            found = library.find(parts.path, asked)
            if found is None:
                return self._send(404, b"No endpoint found", "text/plain")
            start, limit = int(asked.get("start", 0)), int(asked.get("limit", 25))
            body = json.dumps(found[start : start + limit]).encode()
            self._send(200, body, "application/json", {"Total-Results": str(len(found))})

        def _send(self, status: int, body: bytes, media: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": media, "Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
