"""Files on disk: atomic writes, digests, and the JSON and NumPy forms that this project keeps. No pickle."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from rag_app.errors import IndexFault, RagError

LARGEST = 512 * 1024 * 1024  # bytes of a file that is read at once: an index of 100,000 papers has none of that size
SMALL = 4_096  # bytes of a file that holds a name or a line
TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")  # of a file that is being written
_LINK_TAGS = (0xA000000C, 0xA0000003)  # Windows: a symbolic link, a junction


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes, as hexadecimal digits."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_regular(path: Path, *, follow_link: bool = True) -> BufferedReader:
    """A stream of the regular file's bytes. Opening never waits, as it would for a named pipe that nobody writes to.

    `follow_link`: false refuses a path that is itself a link. Raises OSError, whose words name the remedy, for what
    is no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_link:
        if is_link(path):
            raise _not_regular(path)
        flags |= getattr(os, "O_NOFOLLOW", 0)
    return _regular(os.open(path, flags), path)


def open_below(folder: Path, parts: Sequence[str]) -> BufferedReader:
    """A stream of the regular file at `folder`/parts, reached through no link. `folder` itself may be one.

    Raises OSError for links, for parts that lead upwards, and for what is no regular file.
    """
    path = folder.joinpath(*parts)
    if not parts or any(part in ("", ".", "..") or {"/", "\\", "\0"} & set(part) for part in parts):
        raise OSError(errno.EINVAL, "leads out of its folder", str(path))
    if os.open not in os.supports_dir_fd:  # Windows
        if Path(os.path.realpath(path)) != Path(os.path.realpath(folder)).joinpath(*parts):
            raise OSError(errno.ELOOP, "lies behind a link, and links are not followed here", str(path))
        return open_regular(path, follow_link=False)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        file = os.open(parts[-1], os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=here)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(error.errno, "lies behind a link, and links are not followed here", str(path)) from error
        raise
    finally:
        os.close(here)
    return _regular(file, path)


def _regular(descriptor: int, path: Path) -> BufferedReader:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_regular(path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _not_regular(path: Path) -> OSError:
    return OSError(errno.EINVAL, "no regular file, but a pipe, device, folder or link: remove it", str(path))


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {most:,} bytes, which no such file is: remove it", str(path))


def read_regular(path: Path, *, follow_link: bool = True, most: int = LARGEST) -> bytes:
    """The bytes of a regular file of `most` at most. Raises OSError for a larger one, and as open_regular does."""
    with open_regular(path, follow_link=follow_link) as stream:
        size = os.fstat(stream.fileno()).st_size
        pieces = [stream.read(size + 1)] if size <= most else []  # memory is set aside for as much as is asked for
        pieces += [stream.read(most + 1 - size)] if size < sum(map(len, pieces)) else []  # it has grown meanwhile
        content = b"".join(pieces)
        if size > most or len(content) > most:
            raise _too_large(path, most)
        return content


PRIVATE = 0o600  # mode of files that hold what users said


@contextmanager
def _open_atomic(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A stream whose content takes the place of `path` at the end: absent, the old file or the whole new one.

    `mode`: the file's, less what the process's umask takes away.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, mode), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _move(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # what went wrong before matters more
            temporary.unlink(missing_ok=True)


def _move(source: Path, target: Path) -> None:
    """os.replace; Windows refuses it while another process reads the target, which takes a moment only."""
    for _ in range(20):
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(0.02)
        else:
            return
    os.replace(source, target)


def write_bytes(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write so that `path` is either absent, the old file or the whole new one, even through a power cut."""
    with _open_atomic(path, mode) as stream:
        stream.write(content)


def write_json(path: Path, value: object) -> None:
    write_bytes(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises IndexFault when it is damaged or missing."""
    try:
        return json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise IndexFault(f"{path}: damaged or missing ({error}). Build again with --fresh.") from error


def write_array(path: Path, array: np.ndarray) -> None:
    with _open_atomic(path) as stream:
        np.save(stream, array, allow_pickle=False)


def read_array(path: Path, *, mapped: bool = False) -> np.ndarray:
    """The array in a .npy file; `mapped`: read from disk as needed. Raises IndexFault when it is damaged or missing."""
    try:
        array: np.ndarray = load_array(path, mode="r" if mapped else None)
    except Exception as error:  # NumPy raises another type for each kind of damage
        raise IndexFault(f"{path}: damaged or missing ({error}). Build again with --fresh.") from error
    return array


def load_array(path: Path, *, mode: Literal["r"] | None = None) -> np.ndarray:
    """np.load without pickles, of a regular file only. Raises what NumPy raises, and OSError as open_regular does.

    One that is not mapped has LARGEST bytes at most: a sparse file may say that it has many more than there is memory.
    """
    with open_regular(path) as stream:
        if mode is None:
            if os.fstat(stream.fileno()).st_size > LARGEST:
                raise _too_large(path, LARGEST)
            loaded: np.ndarray = np.load(stream, allow_pickle=False)
            return loaded
    mapped: np.ndarray = np.load(path, mmap_mode=mode, allow_pickle=False)
    return mapped


def flush(folder: Path) -> None:
    """Wait until every file below `folder` is on the disk itself, so that it survives a power cut."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())


def is_link(path: Path) -> bool:
    """Whether `path` itself is a symbolic link, or a junction on Windows. False where nothing is there."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) in _LINK_TAGS


def refuse_link(path: Path, error: type[RagError], remedy: str) -> None:
    """Raise `error`, which names the path, when `path` itself is a link."""
    if is_link(path):
        raise error(f"{path}: is a link, and links are not followed here. {remedy}")


def refuse_links(folder: Path, error: type[RagError], remedy: str) -> None:
    """Raise `error`, which names the path, when anything below `folder` is a link. The folder itself may be one.

    What others wrote must not have us read, write or delete elsewhere. A folder that is not there holds no link.
    """
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as listed:
                items = list(listed)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as fault:
            raise error(f"{current}: cannot be listed ({fault.strerror}). Correct its permissions.") from fault
        for item in items:
            if item.is_symlink() or (os.name == "nt" and is_link(Path(item.path))):
                refuse_link(Path(item.path), error, remedy)
            elif item.is_dir(follow_symlinks=False):
                folders.append(Path(item.path))
