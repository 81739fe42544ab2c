"""Text that a PDF says in place of what it draws (/ActualText of marked content) is not what the page shows.

pdfium reads such text in place of the letters. It is meant for letters that cannot be read otherwise, and can say
anything: the letters that are drawn count. A font that does not map them is told of as such (RawPage.unmapped).
"""

from __future__ import annotations

import pypdfium2
import pypdfium2.raw as pdfium

_KEY = b"ActualText"
DEEPEST = 8  # forms within forms


def remove_actual_text(page: pypdfium2.PdfPage) -> int:
    """Remove such marks from the page in memory, before its text is read; returns how many there were."""
    count = pdfium.FPDFPage_CountObjects(page.raw)
    return sum(_remove(pdfium.FPDFPage_GetObject(page.raw, place), DEEPEST) for place in range(count))


def _remove(part: object, depth: int) -> int:
    removed = 0
    for place in reversed(range(pdfium.FPDFPageObj_CountMarks(part))):
        mark = pdfium.FPDFPageObj_GetMark(part, place)
        if pdfium.FPDFPageObjMark_GetParamValueType(mark, _KEY) != pdfium.FPDF_OBJECT_UNKNOWN:
            removed += bool(pdfium.FPDFPageObj_RemoveMark(part, mark))
    if depth and pdfium.FPDFPageObj_GetType(part) == pdfium.FPDF_PAGEOBJ_FORM:
        for place in range(pdfium.FPDFFormObj_CountObjects(part)):
            removed += _remove(pdfium.FPDFFormObj_GetObject(part, place), depth - 1)
    return removed
