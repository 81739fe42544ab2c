"""Limits by caller: requests in a minute, and answers at the same time."""

from __future__ import annotations

import pytest

from rag_app.server.api.errors import ApiError
from rag_app.server.api.limits import Limits


def test_requests_of_a_minute_are_counted_by_caller() -> None:
    now = [100.0]
    limits = Limits(2, 0, lambda: now[0])
    limits.count("a")
    now[0] += 30
    limits.count("a")
    limits.count("b")
    with pytest.raises(ApiError) as refused:
        limits.count("a")
    assert refused.value.status == 429 and refused.value.headers["Retry-After"] == "30"
    now[0] += 30
    limits.count("a")


def test_an_answer_that_ended_makes_room_for_the_next() -> None:
    limits = Limits(0, 1)
    give_back = limits.take("a")
    with pytest.raises(ApiError, match="RAG_API_AT_ONCE"):
        limits.take("a")
    limits.take("b")
    give_back()
    with limits.hold("a"), pytest.raises(ApiError):
        limits.take("a")


def test_zero_means_no_limit() -> None:
    limits = Limits(0, 0)
    for _ in range(1_000):
        limits.count("a")
        limits.take("a")
