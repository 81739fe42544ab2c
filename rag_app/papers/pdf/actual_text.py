"""Text that a PDF says in place of what it draws (/ActualText of marked content) is not what the page shows.

pdfium reads such text in place of the letters. It is meant for letters that cannot be read otherwise, and can say
anything: the letters that are drawn count. A font that does not map them is told of as such (RawPage.unmapped).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import pypdfium2.raw as pdfium

from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct

_KEY = b"ActualText"


_mark_count = direct(pdfium.FPDFPageObj_CountMarks, INTEGER, ADDRESS)
_mark_at = direct(pdfium.FPDFPageObj_GetMark, ADDRESS, ADDRESS, ctypes.c_ulong)
_remove_mark = direct(pdfium.FPDFPageObj_RemoveMark, INTEGER, ADDRESS, ADDRESS)
_value_type = direct(pdfium.FPDFPageObjMark_GetParamValueType, INTEGER, ADDRESS, ctypes.c_char_p)


def remove_actual_text(addresses: Sequence[int]) -> int:
    """Remove such marks from objects of a page in memory, before its text is read; returns how many there were."""
    removed = 0
    for address, count in zip(addresses, map(_mark_count, addresses), strict=True):
        for place in reversed(range(count)) if count else ():  # most have none
            mark = _mark_at(address, place)
            if _value_type(mark, _KEY) != pdfium.FPDF_OBJECT_UNKNOWN:
                removed += bool(_remove_mark(address, mark))
    return removed
