"""The sentences of an answer that one should not trust, in the words of the terminal and of exports. Pure."""

from __future__ import annotations

from rag_app.citations.support import find_doubts
from rag_app.records import Answer, Support

_HEADS: dict[str, tuple[Support, ...]] = {
    "Contradicted by the cited passages": ("contradicted",),
    "Not supported by the cited passages": ("not", "partly"),
    "Not checked, since neither the words nor a model could tell": ("unchecked",),
}


def group_doubts(answer: Answer) -> list[tuple[str, list[str]]]:
    """The sentences that are not wholly supported, below a head for each kind of doubt."""
    doubts = find_doubts(answer)
    groups = [
        (head, [f"{'(partly) ' if kind == 'partly' else ''}{one}" for one, kind in doubts.items() if kind in kinds])
        for head, kinds in _HEADS.items()
    ]
    return [(head, sentences) for head, sentences in groups if sentences]
