"""Who may log in: names with scrypt hashes of their passwords, in a file that its owner alone may read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from rag_app.errors import AccountError, SettingsError
from rag_app.files import PRIVATE, read_regular, write_bytes
from rag_app.settings import is_own_file, note_own_file

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?=[a-z0-9])){0,31}")  # it names a folder too: no dots that climb
SHORTEST, LONGEST = 10, 1024  # characters of a password
NOTES = "users_files.json"  # in the user's settings folder: path of a file of users -> its SHA-256
SHARED = ""  # the user of whoever knows the one password of the settings
# scrypt (RFC 7914) at one of the strengths of OWASP's password storage guide: 16 MiB, about 0.2 s on one core.
_N, _R, _P, _LENGTH = 2**14, 8, 5, 32
_MEMORY = 64 * 1024 * 1024


def hash_password(password: str) -> str:
    """The password as it is kept: method, strength, a salt of its own, hash."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_N}${_R}${_P}${_to_base64(salt)}${_to_base64(_scrypt(password, salt, _N, _R, _P))}"


def is_correct_password(password: str, kept: str) -> bool:
    """Whether the password is the one that is kept; compared in constant time. Raises ValueError for a damaged one."""
    method, n, r, p, salt, digest = kept.split("$")
    if method != "scrypt":
        raise ValueError(f"no such method: {method[:20]}")
    found = _scrypt(password, base64.b64decode(salt, validate=True), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(digest, validate=True))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    content = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=salt, n=n, r=r, p=p, dklen=_LENGTH, maxmem=_MEMORY)


def _to_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@cache
def _dummy_hash() -> str:
    """A hash that no password has, so that a name that is not there takes as long as a wrong password."""
    return hash_password(secrets.token_urlsafe(16))


@dataclass(frozen=True)
class ApiToken:
    """What one program may log in with: only the SHA-256 of its 256 random bits is kept."""

    sha256: str
    user: str = SHARED  # whose conversations it sees


class Accounts:
    """The users of one page, and the tokens of programs. Thread-safe; another process may change the file at any time.

    `password` is the one of the settings, for a page without names. Methods raise AccountError for a file that cannot
    be used.
    """

    def __init__(self, file: Path, password: str = "", *, named: bool = False) -> None:
        """`named`: whoever started the program named the file. Another is followed if this user's commands wrote it."""
        self.file = file
        self._named = named
        self._password = password
        self._kept_shared = hash_password(password) if password else ""
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, str] = {}
        self._tokens: dict[str, ApiToken] = {}
        self._lock = threading.Lock()

    @property
    def is_required(self) -> bool:
        """Whether one must log in: anybody is named, or there is a password."""
        return bool(self._password) or bool(self._read())

    @property
    def by_name(self) -> bool:
        return bool(self._read())

    def names(self) -> list[str]:
        return sorted(self._read())

    def check(self, name: str, password: str) -> str | None:
        """The user that name and password are of, None when they are nobody's. Takes as long for either."""
        if len(password) > LONGEST:
            return None
        user = name.strip().casefold()
        users = self._read()
        kept = self._kept_shared if user == SHARED else users.get(user, "")
        try:
            right = is_correct_password(password, kept or _dummy_hash())
        except (ValueError, TypeError) as error:
            raise AccountError(f"{self.file}: the entry of {user[:40]} is damaged. Add the user again.") from error
        return user if right and kept else None

    def password_stamp(self, user: str) -> str:
        """Another text once the user's password is another; empty when there is no such user."""
        return self._kept_shared if user == SHARED else self._read().get(user, "")

    def add(self, name: str, password: str) -> bool:
        """Keep a user, or another password of a user that is there; whether it is a new one."""
        user = name.strip().casefold()
        if not NAME.fullmatch(user):
            raise AccountError(
                f"{name[:40]!r} cannot be a user's name. Use a to z, digits, dot, dash and underscore; at most 32."
            )
        if not SHORTEST <= len(password) <= LONGEST:
            raise AccountError(f"The password must have at least {SHORTEST} characters.")
        users = dict(self._read())
        new = user not in users
        users[user] = hash_password(password)
        self._write(users)
        return new

    def remove(self, name: str) -> None:
        """Forget a user, who is logged out at once. What the user asked stays on disk."""
        users = dict(self._read())
        user = name.strip().casefold()
        if users.pop(user, None) is None:
            raise AccountError(f"{name[:40]!r}: no such user. The users are: {', '.join(sorted(users)) or 'none'}.")
        self._write(users, {name: token for name, token in self._tokens.items() if token.user != user})

    # -- tokens of programs ---------------------------------------------------------------------------------------

    def tokens(self) -> dict[str, ApiToken]:
        """The tokens by their names."""
        self._read()
        return dict(self._tokens)

    def find_token(self, token: str) -> tuple[str, ApiToken] | None:
        """The name and the entry of a token; None when it is nobody's, or of a user who is gone."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        users = self._read()
        for name, kept in self._tokens.items():
            if hmac.compare_digest(kept.sha256, digest) and (kept.user == SHARED or kept.user in users):
                return name, kept
        return None

    def add_token(self, name: str, user: str = SHARED) -> str:
        """A new token under this name, told once. Its requests are those of `user`."""
        key, owner = name.strip().casefold(), user.strip().casefold()
        if not NAME.fullmatch(key):
            raise AccountError(
                f"{name[:40]!r} cannot be a token's name. Use a to z, digits, dot, dash and underscore; at most 32."
            )
        users = dict(self._read())
        if owner != SHARED and owner not in users:
            raise AccountError(f"{user[:40]!r}: no such user. The users are: {', '.join(sorted(users)) or 'none'}.")
        if key in self._tokens:
            raise AccountError(f"{key}: this token already exists. Remove it first: token remove {key}")
        token = f"rag-{secrets.token_urlsafe(32)}"
        entry = ApiToken(hashlib.sha256(token.encode()).hexdigest(), owner)
        self._write(users, {**self._tokens, key: entry})
        return token

    def remove_token(self, name: str) -> None:
        """Forget a token; its next request is refused."""
        users = dict(self._read())
        kept = {key: token for key, token in self._tokens.items() if key != name.strip().casefold()}
        if len(kept) == len(self._tokens):
            raise AccountError(f"{name[:40]!r}: no such token. The tokens are: {', '.join(sorted(kept)) or 'none'}.")
        self._write(users, kept)

    # -- the file -------------------------------------------------------------------------------------------------

    def _read(self) -> dict[str, str]:
        try:
            status = self.file.stat()
        except FileNotFoundError:
            self._seen, self._users, self._tokens = None, {}, {}
            return {}
        except OSError as error:
            raise self._unreadable(error) from error
        seen = status.st_mtime_ns, status.st_size, status.st_ino
        with self._lock:
            if seen != self._seen:
                (self._users, self._tokens), self._seen = self._parse(self._read_own_bytes()), seen
            return self._users

    def _read_own_bytes(self) -> bytes:
        """The bytes of the file, once it is certain that this user let in who stands in it."""
        try:
            check_private_file(self.file)
            content = read_regular(self.file)
        except OSError as error:
            raise self._unreadable(error) from error
        if not self._named and not is_own_file(NOTES, self.file, content):
            raise AccountError(
                f"{self.file} was not written by this user's commands, so nobody logs in by it and the page stays "
                "shut. If it is yours, name it in RAG_USERS; else remove it, and add users with: user add NAME"
            )
        return content

    def _unreadable(self, error: OSError) -> AccountError:
        return AccountError(f"{self.file}: cannot be read ({error.strerror}). Correct its permissions, or remove it.")

    def _parse(self, content: bytes) -> tuple[dict[str, str], dict[str, ApiToken]]:
        try:
            value = json.loads(content)
            users = value["users"]
            tokens = {
                name: ApiToken(str(kept["sha256"]), str(kept["user"])) for name, kept in value.get("tokens", {}).items()
            }
            if all(NAME.fullmatch(name) and isinstance(kept, str) for name, kept in users.items()):
                return dict(users), tokens
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise AccountError(f"{self.file}: not a file of users. Remove it and add them again with: user add NAME")

    def _write(self, users: dict[str, str], tokens: dict[str, ApiToken] | None = None) -> None:
        """Replace the file; without `tokens` those stay that are there."""
        kept = {name: asdict(token) for name, token in (self._tokens if tokens is None else tokens).items()}
        content = json.dumps({"format": 1, "users": users, "tokens": kept}, indent=1).encode()
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with suppress(*(SettingsError,) * self._named):  # one that is named needs no note
                note_own_file(NOTES, self.file, content)
            write_bytes(self.file, content, PRIVATE)
        except OSError as error:
            raise AccountError(
                f"{self.file}: cannot be written ({error.strerror}). Free some space or correct the permissions."
            ) from error


def check_private_file(file: Path) -> None:
    """Raises AccountError when others on this machine own, may read or change the file. Windows has no such modes."""
    if os.name != "posix":
        return
    status = file.stat()
    if status.st_uid not in (os.getuid(), 0):
        raise AccountError(f"{file} belongs to another user of this machine. Remove it, or name a file of yours.")
    if status.st_mode & 0o077:
        raise AccountError(f"{file}: others on this machine can read it. Run: chmod 600 {file}")
