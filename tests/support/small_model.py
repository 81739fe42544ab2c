"""The real language model of some tests: SmolLM2 behind llama.cpp. Both are optional, so these tests may be skipped."""

from __future__ import annotations

import pytest

from rag_app.models.llm import local_server

PROBLEM = local_server.find_problem()
needs_small_model = pytest.mark.skipif(bool(PROBLEM), reason=f"needs SmolLM2: {PROBLEM}")
