"""Signs of a page whose font does not say what it draws: the drawing is compared with known signs.

Journals set "=" with a font that calls it "¼", "µ" with one that calls it "m", and "−" with one that calls it nothing,
so that a number loses its sign though every letter was read. What is certain is written as it is drawn, what is not
is told, so that whoever quotes it can say so.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.pdf.bitmap_fonts import decode_bitmap_fonts
from rag_app.papers.pdf.direct import ADDRESS, INTEGER, direct
from rag_app.papers.pdf.sign_shapes import Drawing, draw_character, name_drawing

LOST_SIGN = "\ufffd"
"""Stands in the text where pdfium leaves a drawn character out."""

# TeX's own encodings of fonts whose glyphs have names that are on no list: pdfium then gives the code itself.
_OMS = (
    "−·×∗÷⋄±∓⊕⊖⊗⊘⊙○∘•≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽\u0338↦∀∃¬∅ℜℑ⊤⊥ℵABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "∪∩⊎∧∨⊢⊣⌊⌋⌈⌉{}⟨⟩|∥↕⇕\\≀√∐∇∫⊔⊓⊑⊒§†‡¶♣♦♥♠"
)
_OMX = (
    "()[]⌊⌋⌈⌉{}⟨⟩|∥/\\()()[]⌊⌋⌈⌉{}⟨⟩/\\()[]⌊⌋⌈⌉{}⟨⟩/\\/\\"
    + LOST_SIGN * 20
    + "⟨⟩⊔⊔∮∮⊙⊙⊕⊕⊗⊗∑∏∫∪∩⊎∧∨∑∏∫∪∩⊎∧∨∐∐\u0302\u0302"
    "\u0302\u0303\u0303\u0303[]⌊⌋⌈⌉{}√√√√√"
)
_OML = {"?": "⋆", "`": "ℓ"}
_MSA = {"X": "✓", "6": "⩽", ">": "⩾", "\x03": "□", "\x04": "■"}
_TXSY, _TXEX = {"®": "\u20d7"}, {"Ö": "∏", "Í": "∑"}
# mathabx: its glyphs have the names of the letters and accents that stand at the same codes in fonts of text.
_MATHA = dict(zip("`´ˆ˘¨˚“ăąďě«„‰Ñpqz", "+−×±·∗=<>≤≥≈∼≠→()\\", strict=True))
_TABLES = {"OML": _OML, "MSA": _MSA, "TXSY": _TXSY, "TXEX": _TXEX}
_TABLES["MATHA"] = _MATHA
_TABLES |= {
    name: {chr(code): sign for code, sign in enumerate(signs)} for name, signs in (("OMS", _OMS), ("OMX", _OMX))
}
_TEX_FONT = re.compile(
    rb"(?:\w{6}\+)?(?:(?:(?P<OMS>CMB?SY|LMMathSymbols)|(?P<OMX>CMEX|LMMathExtension)"
    rb"|(?P<OML>CMMIB?|LMMathItalic)|(?P<MSA>MSAM))\d|(?P<TXSY>txsys)|(?P<TXEX>txexs)|(?:TeX-)?(?P<MATHA>matha)\d)",
    re.IGNORECASE,
)

# Where a code without a known name may stand: alone or at the edge of a word, and no part of a number.
_MAYBE_CODE = re.compile(
    r"[hijkPQRXYZ034567\x00-\x08\x0b\x0c\x0e-\x1f`?>#\"®ÖÍ]"  # most characters are told at once
    r"(?:(?<=[hijk])(?![^\W\d_])|(?<=[hijkPQRXYZ])(?<![^\W\d_].)|(?<=[034567])(?<![\d.,].)(?![\d.,])"
    r"|(?<=[^hijkPQRXYZ034567]))"
)
_MAYBE_MATHA = re.compile(f"[{''.join(code for code in _MATHA if code not in 'pqz')}]")
_LETTER_OF_MATHA = re.compile("[pqz]")  # asked only where the page has another sign of that font: text is full of them
_CODES_OF_BRACKETS = tuple("hijk")
# Letters that no text has alone beside numbers, and fractions that stand behind no number.
_ODD = re.compile(r"[¼½¾](?<!\d.)|[þðÞÐ¬]|[À-ÖØ-öø-ÿĀ-ſ„‚ˇ˘](?<![^\W\d_].)(?![^\W\d_])")
_BEFORE_NUMBER, _AFTER_NUMBER = re.compile(r"\s?\.?\d"), re.compile(r"[\d%)]\s?$")
_MILLI = re.compile(r"m(?=(?:g|l|L|m|M|mol|s|A|V|W|F|H|C|K|N|Pa|Sv|Gy)\b)(?<![^\W\d_].)")
_BESIDE_NUMBER = re.compile(rf"{LOST_SIGN}\s?[\d.]|\d\s?{LOST_SIGN}")
_MOST = 200  # characters of a page that are drawn; a page with more is set in such a font throughout


_text_index = direct(pdfium.FPDFText_GetTextIndexFromCharIndex, INTEGER, ADDRESS, INTEGER)
_is_unmapped = direct(pdfium.FPDFText_HasUnicodeMapError, INTEGER, ADDRESS, INTEGER)
_font_info = direct(pdfium.FPDFText_GetFontInfo, ctypes.c_ulong, ADDRESS, INTEGER, ADDRESS, ctypes.c_ulong, ADDRESS)


@dataclass(frozen=True, eq=False)
class PageText:
    """A page's characters and, where pdfium counts others than the text holds, its index of each; `doubtful` offsets
    are those of characters that may be other signs than they were read as."""

    text: str
    indices: np.ndarray | None = None  # int32 (len(text),)
    doubtful: tuple[int, ...] = ()
    wide: bool = False  # some character counts as two for pdfium
    fractions: tuple[int, ...] = ()  # offsets of the strokes of fractions whose numbers stand above each other

    def cut_off(self, length: int) -> PageText:
        """The first characters, before signs are looked at."""
        return replace(self, text=self.text[:length], indices=None if self.indices is None else self.indices[:length])


def read_characters(textpage: pypdfium2.PdfTextPage) -> PageText:
    """The page's text; LOST_SIGN stands for each character that is drawn and that pdfium leaves out of it."""
    count = textpage.count_chars()
    text = textpage.get_text_range() if count else ""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    wide = units > len(text)
    if units == count:
        return PageText(text, wide=wide)
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    places = [_text_index(handle, index) for index in range(count)]
    left_out = [index for index, place in enumerate(places) if place < 0]
    drawn = [index for index in left_out if _has_box(textpage, index)]
    if not drawn or wide:
        return PageText(text, wide=wide)
    pieces: list[str] = []
    indices: list[int] = []
    skipped = set(left_out) - set(drawn)
    for index, at in enumerate(places):
        if at >= 0:
            pieces.append(text[at])
            indices.append(index)
        elif index not in skipped:
            pieces.append(LOST_SIGN)
            indices.append(index)
    return PageText("".join(pieces), np.array(indices, np.int32))


def _has_box(textpage: pypdfium2.PdfTextPage, index: int) -> bool:
    left, bottom, right, top = textpage.get_charbox(index)
    return bool(right - left > 0.5 and top - bottom > 0.1)


def with_drawn_signs(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, read: PageText) -> PageText:
    """The same text with the signs that are drawn in place of what the font calls them; every offset stays."""
    changed = dict(_by_encoding(textpage, read))
    changed |= decode_bitmap_fonts(textpage, read.text, lambda at: _index_of(read, at))
    odd = [at for at in _odd_places(textpage, read) if at not in changed]
    doubtful: list[int] = []
    seen: dict[tuple[bytes, str], str | Literal[False]] = {}
    for at in odd[:_MOST]:
        index = _index_of(read, at)
        key = _font_name(textpage, index), read.text[at]
        if not key[0] or key not in seen or key[1] == LOST_SIGN:
            seen[key] = _name_sign(page, textpage, index, read.text[at])
        sign = seen[key]
        if sign is False:
            doubtful.append(at)
        elif sign != read.text[at]:
            changed[at] = sign
    doubtful += odd[_MOST:]
    if not changed and not doubtful:
        return read
    text = list(read.text)
    for at, sign in changed.items():
        text[at] = sign
    return replace(read, text="".join(text), doubtful=tuple(sorted(doubtful)))


def _index_of(read: PageText, at: int) -> int:
    if read.indices is not None:
        return int(read.indices[at])
    return at if not read.wide else len(read.text[:at].encode("utf-16-le", "surrogatepass")) // 2


def _by_encoding(textpage: pypdfium2.PdfTextPage, read: PageText) -> Iterator[tuple[int, str]]:
    """Offsets of codes of TeX's fonts for signs, and what they stand for."""
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    known: set[int] = set()
    for match in _MAYBE_CODE.finditer(read.text):
        places = [match.start()]
        while places:  # a code beside a code, "⟩∥⟨", may look like part of a word
            at = places.pop()
            index = _index_of(read, at)
            sign = _decode(_font_name(textpage, index), read.text[at]) if _is_unmapped(handle, index) == 1 else ""
            if at not in known and sign and sign != read.text[at]:
                known.add(at)
                yield at, sign
                places += [one for one in (at - 1, at + 1) if read.text[one : one + 1] in _CODES_OF_BRACKETS]
    yield from _decode_matha(textpage, read)
    for match in re.finditer(LOST_SIGN, read.text) if LOST_SIGN in read.text else ():
        index = _index_of(read, match.start())
        sign = _decode(_font_name(textpage, index), chr(pdfium.FPDFText_GetUnicode(textpage.raw, index)))
        if sign:
            yield match.start(), sign


def _decode_matha(textpage: pypdfium2.PdfTextPage, read: PageText) -> Iterator[tuple[int, str]]:
    """Offsets of signs of mathabx, and what is drawn there."""
    found = False
    for codes in (_MAYBE_MATHA, _LETTER_OF_MATHA):
        for match in codes.finditer(read.text) if found or (codes is _MAYBE_MATHA and not read.text.isascii()) else ():
            name = _font_name(textpage, _index_of(read, match.start()))
            if b"matha" in name and (sign := _decode(name, match[0])):
                found = True
                yield match.start(), sign


def _decode(font: bytes, code: str) -> str:
    found = _TEX_FONT.match(font)
    return _TABLES[found.lastgroup].get(code, "") if found is not None and found.lastgroup else ""


def _font_name(textpage: pypdfium2.PdfTextPage, index: int) -> bytes:
    name, flags = ctypes.create_string_buffer(96), ctypes.c_int()
    handle = ctypes.cast(textpage.raw, ctypes.c_void_p).value
    _font_info(handle, index, ctypes.addressof(name), len(name), ctypes.addressof(flags))
    return name.value


def _odd_places(textpage: pypdfium2.PdfTextPage, read: PageText) -> list[int]:
    """Offsets of characters that may be drawn as other signs than they are called, beside numbers and units."""
    text = read.text
    found: list[int] = []
    for match in _ODD.finditer(text) if not text.isascii() else ():
        at = match.start()
        sure = match[0] in "¼½¾þðÞÐ¬"
        if sure or _BEFORE_NUMBER.match(text, at + 1) or _AFTER_NUMBER.search(text, max(at - 2, 0), at):
            found.append(at)
    if LOST_SIGN in text:
        found += [match.start() + match[0].index(LOST_SIGN) for match in _BESIDE_NUMBER.finditer(text)]
    for match in _MILLI.finditer(text):
        index = _index_of(read, match.start())
        if _font_name(textpage, index) != _font_name(textpage, index + 1):
            found.append(match.start())
    return sorted(set(found))


def _name_sign(
    page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, index: int, called: str
) -> str | Literal[False]:
    """The sign that is drawn, or what it is called where the drawing agrees; False where neither is certain."""
    drawing: Drawing | None = draw_character(page, textpage, index)
    if drawing is None:
        return False
    return name_drawing(drawing, called)
