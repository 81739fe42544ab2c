"""Every form of some answers in one ZIP file: what a whole conversation is taken away as. Pure."""

from __future__ import annotations

import io
import zipfile

from rag_app.errors import ExportError
from rag_app.export import FORMS, Exported

MEDIA_TYPE = "application/zip"
SUFFIX = "zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same answers give the same bytes; when they were taken away stands in each form


def bundle(exported: Exported, name: str) -> bytes:
    """A ZIP of the files name.md, .bib, .csv and .json; forms of which the answers hold nothing are left out."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as file:
        for suffix, form in FORMS.items():
            try:
                text = form.make(exported)
            except ExportError:  # no paper cited, or no table
                continue
            # Half characters, which a file's name may hold, are no UTF-8.
            file.writestr(_entry(f"{name}.{suffix}"), text.encode("utf-8", "replace"))
    return kept.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
