"""Some answers in every format in one ZIP file: the export of a whole conversation. Pure.

Answers into files: the form by the file's suffix, all forms made before the first file is written.
"""

from __future__ import annotations

import importlib.metadata
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from rag_app.errors import ExportError
from rag_app.files import PRIVATE, write_bytes
from rag_app.outputs.markdown import FORMS, ExportContent
from rag_app.records import Answer, Source

MEDIA_TYPE = "application/zip"
SUFFIX = "zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same answers give the same bytes; each file says when it was exported


def make_bundle(exported: ExportContent, name: str) -> bytes:
    """A ZIP of the files name.md, .bib, .csv, .tex and .json; forms of which the answers hold nothing are left out."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as file:
        for suffix, form in FORMS.items():
            try:
                text = form.make(exported)
            except ExportError:  # no paper cited, or no table
                continue
            # Half characters, which a file's name may hold, are no UTF-8.
            file.writestr(_zip_entry(f"{name}.{suffix}"), text.encode("utf-8", "replace"))
    return kept.getvalue()


def _zip_entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


PathLike = str | Path


class SourceLookup(Protocol):
    """What knows the cited papers."""

    def sources(self, papers: Iterable[str]) -> Mapping[str, Source]: ...


def check_files(files: Iterable[PathLike]) -> list[Path]:
    """The files, if each can be written and has a form. Raises ExportError."""
    paths = list(dict.fromkeys(Path(file).expanduser() for file in files))
    for path in paths:
        if _suffix(path) not in (*FORMS, SUFFIX):
            known = ", ".join(f".{suffix}" for suffix in (*FORMS, SUFFIX))
            raise ExportError(f"{path}: the suffix decides the format. End the name in one of {known}.")
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ExportError(f"{path}: no file can be written there. Name one in a folder that exists.")
    return paths


def collect_export(library: SourceLookup, answers: Sequence[Answer]) -> ExportContent:
    """The answers with what is known of the papers that they cite, as of now."""
    cited = (citation.paper for answer in answers for citation in (*answer.citations, *answer.nearest))
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    return ExportContent(answers, library.sources(dict.fromkeys(cited)), f"rag-app {_version()}", moment)


def save_answers(library: SourceLookup, answers: Answer | Sequence[Answer], *files: PathLike) -> list[Path]:
    """Write the answers to each file: .md, .bib, .csv, .tex, .json, or .zip with all of them. Returns the paths.

    A file that was there is replaced; nobody but its owner may read the new one. Raises ExportError when an answer is
    an error, has nothing of the form, or a file cannot be written.
    """
    listed = [answers] if isinstance(answers, Answer) else list(answers)
    if not listed or any(answer.status == "error" for answer in listed):
        raise ExportError("There is no answer to export: the question ended with an error.")
    paths = check_files(files)
    content = collect_export(library, listed)
    made = [_make_content(content, path) for path in paths]
    for path, data in zip(paths, made, strict=True):
        try:
            write_bytes(path, data, PRIVATE)
        except OSError as error:
            raise ExportError(f"{path}: cannot be written ({error.strerror}). Name another file.") from error
    return paths


def _make_content(content: ExportContent, path: Path) -> bytes:
    if _suffix(path) == SUFFIX:
        return make_bundle(content, path.stem)
    # Half characters, which a file's name may hold, are no UTF-8.
    return FORMS[_suffix(path)].make(content).encode("utf-8", "replace")


def _suffix(path: Path) -> str:
    return path.suffix.lower().lstrip(".")


def _version() -> str:
    try:
        return importlib.metadata.version("rag-app")
    except importlib.metadata.PackageNotFoundError:  # run from a folder, not installed
        return "from source"
