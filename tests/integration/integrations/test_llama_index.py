"""The library in LlamaIndex: its own retrievers, evaluators and agents use it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole, ToolCallBlock
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import QueryEngineTool

from rag_app.assistant import Assistant
from rag_app.errors import QuestionError
from rag_app.integrations.llama_index import PaperQueryEngine, PaperRetriever, load_pages
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.served_library import FACT, QUESTION, SECOND, write_library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("library")
    write_library(folder / "corpus")
    assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
    assistant.build()
    yield assistant


def test_nodes_lead_to_their_place_on_the_page(library: Assistant) -> None:
    found = PaperRetriever(library, top=3).retrieve("heron index passages of marsh reports")
    assert found[0].metadata["paper"] == "heron.pdf" and found[0].score is not None
    for node in (one.node for one in found):
        page = library.page(node.metadata["paper"], node.metadata["page"])
        assert page.text[node.start_char_idx : node.end_char_idx] == node.text


def test_their_evaluator_measures_the_retriever(library: Assistant) -> None:
    expected = [hit.passage.id for hit in library.search(QUESTION, top=10) if FACT[:30] in hit.passage.text]
    evaluator = RetrieverEvaluator.from_metric_names(["hit_rate", "mrr"], retriever=PaperRetriever(library, top=5))
    result = evaluator.evaluate(query=QUESTION, expected_ids=expected)
    assert expected and result.metric_vals_dict["hit_rate"] == 1.0 and result.metric_vals_dict["mrr"] > 0.3


def test_answers_have_our_citations_as_sources(library: Assistant) -> None:
    response = PaperQueryEngine(library).query(QUESTION)
    assert "220 million" in str(response)
    assert all(node.metadata["verified"] for node in response.source_nodes)
    assert any("220 million" in node.metadata["quote"] for node in response.source_nodes)
    assert response.metadata["rag_app"]["status"] == "answered"


def test_an_error_is_raised_with_its_words(library: Assistant) -> None:
    with pytest.raises(QuestionError, match="at most"):
        PaperQueryEngine(library).query("why " * 10_000)


def test_only_chosen_papers_are_searched(library: Assistant) -> None:
    found = PaperRetriever(library, papers=["lynx.md"]).retrieve(QUESTION)
    assert {node.metadata["paper"] for node in found} == {"lynx.md"}


def test_every_page_is_a_document(library: Assistant) -> None:
    documents = load_pages(library)
    assert {document.metadata["paper"] for document in documents} == {"heron.pdf", "lynx.md", "otter.pdf"}
    assert any(SECOND in document.text for document in load_pages(library, ["heron.pdf"]))


class OneCallModel(FunctionCallingLLM):
    """A model without weights: calls the tool with the user's question, then hands on what the tool gave."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    def _prepare_chat_with_tools(self, tools, user_msg=None, chat_history=None, **options):
        return {"messages": [*(chat_history or []), *([user_msg] if user_msg else [])]}

    def _reply(self, messages: list[ChatMessage]) -> ChatResponse:
        told = [message for message in messages if message.role == MessageRole.TOOL]
        if told:
            return ChatResponse(message=ChatMessage(role="assistant", content=told[-1].content))
        asked = next(message.content for message in messages if message.role == MessageRole.USER)
        call = ToolCallBlock(tool_call_id="1", tool_name="papers", tool_kwargs={"input": asked})
        return ChatResponse(message=ChatMessage(role="assistant", blocks=[call]))

    def get_tool_calls_from_response(self, response, error_on_no_tool_call=True, **options):
        from llama_index.core.llms.llm import ToolSelection  # noqa: PLC0415

        blocks = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        return [ToolSelection(tool_id="1", tool_name=one.tool_name, tool_kwargs=one.tool_kwargs) for one in blocks]

    def chat(self, messages, **options):
        return self._reply(messages)

    async def achat(self, messages, **options):
        return self._reply(messages)

    def stream_chat(self, messages, **options):
        yield self._reply(messages)

    async def astream_chat(self, messages, **options):
        async def reply():
            yield self._reply(messages)

        return reply()

    def complete(self, prompt, **options):
        raise NotImplementedError

    acomplete = stream_complete = astream_complete = complete


def test_their_agent_asks_it(library: Assistant) -> None:
    tool = QueryEngineTool.from_defaults(PaperQueryEngine(library), name="papers", description="Asks the papers.")
    agent = FunctionAgent(tools=[tool], llm=OneCallModel(), streaming=False)

    async def ask() -> str:
        return str(await agent.run(QUESTION))

    assert "220 million" in asyncio.run(ask())


def test_langchain_finds_the_same(library: Assistant, tmp_path: Path) -> None:
    from rag_app.integrations.langchain import PaperRetriever as LangChainRetriever  # noqa: PLC0415

    documents = LangChainRetriever(library=library, top=3).invoke(QUESTION)
    ids = [node.node.id_ for node in PaperRetriever(library, top=3).retrieve(QUESTION)]
    assert [document.id for document in documents] == ids
    assert documents[0].metadata["page"] == 1
