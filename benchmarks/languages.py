"""How often a Chinese question finds its paper in English ones, without a model: `python -m benchmarks.languages`.

For each question of `chinese_questions.jsonl`: the share of its papers among the papers of the first five hits, asked
as it is typed, and as the assistant searches for it. The settings name the library.
"""

from __future__ import annotations

import json
from pathlib import Path

from rag_app.assistant import Assistant
from rag_app.index.generations import open_current
from rag_app.records import Hit
from rag_app.retrieval.hybrid import Retriever
from rag_app.settings import load_settings
from rag_app.text.language import english_words

OWN = Path(__file__).with_name("chinese_questions.jsonl")
HITS = 5


def main() -> None:
    """Print the recall of both, and what was not found."""
    assistant = Assistant(load_settings(llm="none"))
    plain = Retriever(open_current(assistant.settings.index_folder), assistant.embedder.embed_question)
    typed = searched = 0.0
    rows = [json.loads(line) for line in OWN.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        typed += share(plain.find_passages(row["question"], HITS), row["papers"])
        found = share(assistant.search(row["question"], top=HITS), row["papers"])
        searched += found
        if found < 1:
            print(f"{found:.1f} {row['question']} -> {english_words(row['question'])}")
    print(
        f"paper recall@{HITS}: as typed {typed / len(rows):.2f}, as searched {searched / len(rows):.2f} ({len(rows)})"
    )


def share(hits: list[Hit], papers: list[str]) -> float:
    """The share of the papers that the hits are from."""
    return len({hit.passage.paper for hit in hits} & set(papers)) / len(papers)


if __name__ == "__main__":
    main()
