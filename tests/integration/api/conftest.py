"""One served library for all files of this folder that a process runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.served_library import ServedLibrary, serve_library


@pytest.fixture(scope="package")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedLibrary]:
    with serve_library(tmp_path_factory.mktemp("library"), api_rate=0) as served:
        yield served
