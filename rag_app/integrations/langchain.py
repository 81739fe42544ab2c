"""The library in LangChain: a retriever. Needs the extra `langchain`; importing this module loads langchain_core."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from rag_app.integrations.metadata import describe_hit


class PaperRetriever(BaseRetriever):
    """The passages that our search finds, best first. `library` is an Assistant; `papers`: only these."""

    library: Any
    top: int = 10
    papers: tuple[str, ...] = ()

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        hits = self.library.search(query, top=self.top, papers=self.papers)
        return [
            Document(
                id=hit.passage.id,
                page_content=hit.passage.text,
                metadata=describe_hit(hit, self.library.title(hit.passage.paper)) | {"score": float(hit.score)},
            )
            for hit in hits
        ]
