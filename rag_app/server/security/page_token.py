"""The token in the address of a page that needs no log-in: other users of this machine reach its port, not the page.

Notebooks do the same. It is kept in the user's own folder, outside of every project that somebody may hand over, so
that a tab that was open before a restart goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from rag_app.errors import RagError, SettingsError
from rag_app.files import refuse_link
from rag_app.settings import settings_folder

FILE = "page_token"
PARAMETER = "token"  # of the address
_FORM = re.compile(r"[\w-]{43}")


def cookie_value(token: str, port: int) -> str:
    """What the browser keeps in place of the token. A browser sends a cookie to every port of a host, and so perhaps to
    a server of another user of this machine: it must not learn the token, which programs use and other ports take."""
    return hmac.new(token.encode(), f"page on port {port}".encode(), hashlib.sha256).hexdigest()


def load_page_token() -> str:
    """The kept token, made at first; a new one for this process alone where none can be kept."""
    try:
        file = settings_folder() / FILE
        refuse_link(file, SettingsError, "Remove it.")
        return _read(file) or _write(file)
    except (OSError, RagError):
        return secrets.token_urlsafe(32)


def _read(file: Path) -> str:
    """The token in the file; empty where it is missing, damaged, or was ever open to others."""
    with suppress(FileNotFoundError, UnicodeDecodeError):
        if os.name == "posix" and (file.stat().st_mode & 0o077 or file.stat().st_uid != os.getuid()):
            return ""
        text = file.read_text(encoding="ascii").strip()
        return text if _FORM.fullmatch(text) else ""
    return ""


def _write(file: Path) -> str:
    token = secrets.token_urlsafe(32)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_name(f".{FILE}.{secrets.token_hex(4)}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write(token)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return token
