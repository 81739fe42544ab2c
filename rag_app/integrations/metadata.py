"""What every framework is told of a passage and of a cited place."""

from __future__ import annotations

from typing import Any

from rag_app.papers.talks import find_second
from rag_app.records import Citation, Hit


def describe_hit(hit: Hit, title: str) -> dict[str, Any]:
    """Where a passage stands."""
    passage = hit.passage
    return {
        "paper": passage.paper,
        "title": title,
        "page": passage.page,
        "label": passage.label,
        "second": find_second(passage.paper, passage.label),
        "section": passage.section,
    }


def describe_citation(citation: Citation) -> dict[str, Any]:
    """Where cited words stand, and whether they were found there."""
    return {
        "paper": citation.paper,
        "title": citation.title,
        "page": citation.page,
        "label": citation.label,
        "second": find_second(citation.paper, citation.label),
        "section": citation.section,
        "quote": citation.quote,
        "verified": citation.verified,
        "number": citation.number,
    }
