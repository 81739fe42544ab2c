"""PDFs made to hurt who reads them: streams that swell, thousands of pages, nests and circles.

Each is built beside a good paper with the limits of a real build: it is read or listed with its problem, the good paper
answers, and the build ends.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from benchmarks.tried import Section, Tried
from rag_app.assistant import Assistant
from rag_app.index.build import build
from rag_app.papers import worker_pool
from tests.support.doubles import WordEmbedder, settings_for, write_corpus

CHUNK = 1 << 20


def pdf_of(objects: list[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    written, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    written += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(written)


def stream(content: bytes, more: bytes = b"") -> bytes:
    """A stream object as it stands in a file."""
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), more, content)


def one_page(content: bytes, more: bytes = b"", also: list[bytes] | None = None) -> bytes:
    """A page (object 3) with this content (4), a font (5), what else stands in the page, and other objects (from 6)."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> %s >>" % more
    )
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    catalogue, tree = b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return pdf_of([catalogue, tree, page, content, font, *(also or [b"null"])])


WORDS = b"BT /F 10 Tf 72 700 Td (The newt rests for 41 hours on the bank of the pond.) Tj ET"


def swelling(size: int, twice: bool = False) -> bytes:
    """A stream that is `size` bytes of spaces once it is unpacked; packed twice it is a kilobyte or so."""
    packer = zlib.compressobj(9)
    packed = packer.compress(WORDS)
    packed += b"".join(packer.compress(b" " * CHUNK) for _ in range(size // CHUNK)) + packer.flush()
    if twice:
        return one_page(stream(zlib.compress(packed, 9), b"/Filter [/FlateDecode /FlateDecode]"))
    return one_page(stream(packed, b"/Filter /FlateDecode"))


def pages(count: int) -> bytes:
    """A PDF with so many pages, each with a sentence."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(count))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> >> >>"
        % (kids, count),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number in range(count):
        said = b"BT /F 10 Tf 72 700 Td (On day %d the newt rests for %d hours.) Tj ET" % (number, number % 24)
        objects += [b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R >>" % (5 + 2 * number), stream(said)]
    return pdf_of(objects)


def nested(depth: int) -> bytes:
    """Arrays in arrays, where a page names its notes."""
    return one_page(stream(WORDS), b"/Annots " + b"[" * depth + b"]" * depth)


def tall_tree(depth: int) -> bytes:
    """A tree of pages in which every branch holds one branch."""
    branches = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(depth)]
    leaf = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 612 792] >>" % (depth + 1)
    return pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", *branches, leaf])


def circle_of_pages() -> bytes:
    """A tree of pages that holds itself."""
    return pdf_of(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9 /Parent 2 0 R >>"]
    )


def circle_of_drawings() -> bytes:
    """A drawing that draws itself, and bookmarks that follow themselves."""
    itself = stream(
        b"/X Do /X Do " + WORDS,
        b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Title (x) /First 6 0 R /Next 6 0 R "
        b"/Resources << /XObject << /X 6 0 R >> /Font << /F 5 0 R >> >>",
    )
    return one_page(stream(b"/X Do " + WORDS), b"", [itself])


def huge_picture() -> bytes:
    """A picture that claims ten thousand million pixels."""
    told = b"/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /ColorSpace /DeviceRGB /BitsPerComponent 8"
    return one_page(stream(b"q 600 0 0 700 0 0 cm /X Do Q " + WORDS), b"", [stream(b"\x00" * 64, told)])


def kinds(short: bool) -> dict[str, Callable[[], bytes]]:
    """What is made, by what it is called."""
    size, count, depth = (2**26, 200, 2_000) if short else (2**30, 10_000, 100_000)
    return {
        f"a stream of {size / 2**30:g} GB": lambda: swelling(size),
        f"a stream of {size / 2**30:g} GB, packed twice": lambda: swelling(size, twice=True),
        f"{count:,} pages": lambda: pages(count),
        f"{depth:,} arrays in each other": lambda: nested(depth),
        f"a tree of pages {depth:,} high": lambda: tall_tree(depth),
        "pages in a circle": circle_of_pages,
        "drawings and bookmarks in a circle": circle_of_drawings,
        "a picture of 10,000 million pixels": huge_picture,
    }


def section(short: bool) -> Section:
    """PDFs made to hurt, for the report."""
    seconds, memory = f"{worker_pool.SECONDS_PER_PAPER:.0f} s", f"{worker_pool.MEMORY_BYTES / 2**30:.0f} GB"
    about = (
        f"Each lies beside a good paper and is read in a process that may take {seconds} and {memory}. It is "
        "read or listed with its problem; the good paper answers."
    )
    return Section("PDFs made to hurt", about, [tried(what, make()) for what, make in kinds(short).items()])


def tried(what: str, content: bytes) -> Tried:
    """Build a folder with a good paper and this one."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="heavy-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 1)
        (folder / "corpus" / "heavy.pdf").write_bytes(content)
        began = time.monotonic()
        report = build(settings_for(folder), WordEmbedder())
        seconds = time.monotonic() - began
        row = next(paper for paper in report.papers if paper.paper == "heavy.pdf")
        if "Traceback" in row.problem or "bug in the program" in row.problem:
            faults.append(row.problem)
        if seconds > 3 * worker_pool.SECONDS_PER_PAPER:
            faults.append(f"the build took {seconds:.0f} s")
        if not Assistant(settings_for(folder), embedder=WordEmbedder()).search("otter trial series"):
            faults.append("the good paper does not answer")
    told = f"listed: {row.problem.split('. ')[0].removeprefix('heavy.pdf: ')}" if row.problem else "read"
    return Tried(f"{what}, in {max(1, len(content) // 1024):,} kB", 1, told, tuple(faults))
