"""Text that a PDF says in place of what it draws (/ActualText of marked content) is not what the page shows.

pdfium reads such text in place of the letters. It is meant for letters that cannot be read otherwise, and can say
anything: the letters that are drawn count. A font that does not map them is told of as such (RawPage.unmapped).
"""

from __future__ import annotations

import ctypes

import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct

_KEY = b"ActualText"
DEEPEST = 8  # forms within forms

_object_at = direct(pdfium.FPDFPage_GetObject, ADDRESS, ADDRESS, INTEGER)
_inner_at = direct(pdfium.FPDFFormObj_GetObject, ADDRESS, ADDRESS, ctypes.c_ulong)
_inner_count = direct(pdfium.FPDFFormObj_CountObjects, INTEGER, ADDRESS)
_type_of = direct(pdfium.FPDFPageObj_GetType, INTEGER, ADDRESS)
_mark_count = direct(pdfium.FPDFPageObj_CountMarks, INTEGER, ADDRESS)
_mark_at = direct(pdfium.FPDFPageObj_GetMark, ADDRESS, ADDRESS, ctypes.c_ulong)
_remove_mark = direct(pdfium.FPDFPageObj_RemoveMark, INTEGER, ADDRESS, ADDRESS)
_value_type = direct(pdfium.FPDFPageObjMark_GetParamValueType, INTEGER, ADDRESS, ctypes.c_char_p)


def remove_actual_text(page: pypdfium2.PdfPage) -> int:
    """Remove such marks from the page in memory, before its text is read; returns how many there were."""
    count, handle = pdfium.FPDFPage_CountObjects(page.raw), ctypes.cast(page.raw, ctypes.c_void_p).value
    return sum(_remove(_object_at(handle, place), DEEPEST) for place in range(count))


def _remove(part: int, depth: int) -> int:
    removed = 0
    for place in reversed(range(_mark_count(part))):
        mark = _mark_at(part, place)
        if _value_type(mark, _KEY) != pdfium.FPDF_OBJECT_UNKNOWN:
            removed += bool(_remove_mark(part, mark))
    if depth and _type_of(part) == pdfium.FPDF_PAGEOBJ_FORM:
        for place in range(_inner_count(part)):
            removed += _remove(_inner_at(part, place), depth - 1)
    return removed
