"""The library in LlamaIndex: a retriever, a query engine with our citations, and a reader of our pages.

Importing this module loads llama_index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.schema import Document, NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from rag_app.errors import QuestionError
from rag_app.integrations.metadata import describe_citation, describe_hit
from rag_app.outputs.json import answer_json
from rag_app.records import Citation

if TYPE_CHECKING:
    from rag_app.assistant import Assistant


class PaperRetriever(BaseRetriever):  # type: ignore[misc]  # llama_index is not typed for us
    """The passages that our search finds, best first, each with its place in the page's text.

    `papers`: only these, by the names that the library has for them.
    """

    def __init__(self, library: Assistant, top: int = 10, papers: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self._library = library
        self._top = top
        self._papers = tuple(papers)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._library.search(query_bundle.query_str, top=self._top, papers=self._papers)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=hit.passage.id,
                    text=hit.passage.text,
                    start_char_idx=hit.passage.start,
                    end_char_idx=hit.passage.end,
                    metadata=describe_hit(hit, self._library.title(hit.passage.paper)),
                ),
                score=float(hit.score),
            )
            for hit in hits
        ]


class PaperQueryEngine(CustomQueryEngine):  # type: ignore[misc]
    """Answers by our own ways; the source nodes are the citations, `metadata["rag_app"]` the whole answer.

    Raises QuestionError with the message of an answer that ended with an error.
    """

    _library: Any = PrivateAttr()
    _papers: tuple[str, ...] = PrivateAttr(default=())

    def __init__(self, library: Assistant, papers: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self._library = library
        self._papers = tuple(papers)

    def custom_query(self, query_str: str) -> Response:
        """Answer one question."""
        answer = self._library.ask(query_str, papers=self._papers)
        if answer.status == "error":
            raise QuestionError(answer.answer)
        nodes = [NodeWithScore(node=_quote_node(citation), score=1.0) for citation in answer.citations]
        return Response(answer.answer, source_nodes=nodes, metadata={"rag_app": answer_json(answer)})

    async def acustom_query(self, query_str: str) -> Response:
        """As `custom_query`, in a thread of its own."""
        return await asyncio.to_thread(self.custom_query, query_str)


def _quote_node(citation: Citation) -> TextNode:
    return TextNode(
        id_=f"{citation.paper}#{citation.page}-{citation.number}",
        text=citation.quote,
        metadata=describe_citation(citation),
        excluded_llm_metadata_keys=["quote"],
        excluded_embed_metadata_keys=["quote"],
    )


def load_pages(library: Assistant, papers: Sequence[str] = ()) -> list[Document]:
    """One Document for each page of all papers, or of `papers`, as our index has read it."""
    return list(_pages(library, papers))


def _pages(library: Assistant, papers: Sequence[str]) -> Iterator[Document]:
    for row in library.papers():
        if papers and row.paper not in papers:
            continue
        for number in range(1, row.pages + 1):
            page = library.page(row.paper, number)
            yield Document(
                id_=f"{row.paper}#{number}",
                text=page.text,
                metadata={"paper": row.paper, "title": row.title, "page": number, "label": page.label},
            )
