"""What several tests need: the shared material, a browser, and a wall around this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
PROVIDED = re.compile(r"chromium|playwright|nginx|shared|papers|smollm|xllamacpp", re.IGNORECASE)
# What a test uses marks it.
MARKERS = {"chromium": "browser", "shared": "material"}
LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost|")

# Several processes share the processor: threads of torch would mostly wait for each other, at three times the cost.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is: a law that holds has failed for taking 0.36 s.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)  # before -m chooses by the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures; files with slow tests come first, so that all processes end together."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS:
                item.add_marker(MARKERS[fixture])
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings, keys and proxies of whoever runs the tests must not decide them."""
    for name in list(os.environ):
        if name.startswith("RAG_") or name.endswith("_API_KEY") or name.upper() in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def no_reader_kept_by_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nor may a reader that this user keeps, and no test may write there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CONFIG_HOME", "APPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The material beside the checkout: papers, questions, data sets."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the material in {SHARED.name}/ beside the checkout")
    return SHARED


@pytest.fixture(scope="session")
def papers_folder(shared: Path) -> Path:
    """The real papers."""
    folder = shared / "papers"
    if not any(folder.glob("*.pdf")):
        pytest.skip("needs the papers in shared/papers beside the checkout")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that needs no screen; the one without a window costs half as much."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.skip("needs Chromium (Debian: apt-get install chromium-headless-shell, or chromium)")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the real embedder lies converted: once for all processes of a run of the tests, as that takes seconds."""
    from filelock import FileLock  # noqa: PLC0415

    from rag_app.models.embedder import open_embedder  # noqa: PLC0415
    from rag_app.settings import Settings  # noqa: PLC0415

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "models"
    with FileLock(f"{folder}.lock"):
        open_embedder(Settings(), folder)
    return folder


@pytest.fixture(scope="session")
def put_models(models: Path) -> Callable[[Path], Path]:
    """Puts the converted embedder into a folder, beside its indexes, which it gives: converting takes seconds."""

    def put(home: Path) -> Path:
        shutil.copytree(models, home / "models", copy_function=os.link)
        return home

    return put


@pytest.fixture(scope="session")
def index_home(tmp_path_factory: pytest.TempPathFactory, put_models: Callable[[Path], Path]) -> Path:
    """A folder for indexes, one per test, with the converted embedder beside them."""
    return put_models(tmp_path_factory.mktemp("indexes"))


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every address but this machine's own is refused. Gives the list of what was tried, empty at the end."""
    tried: list[str] = []

    def guard(name: str, position: int) -> None:
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse_foreign(arguments[position][0])
            return real(self, *arguments)

        monkeypatch.setattr(socket.socket, name, guarded)

    def refuse_foreign(host: object) -> None:
        text = host.decode() if isinstance(host, bytes) else str(host or "")
        if not LOOPBACK.fullmatch(text.lower()):
            tried.append(text)
            raise OSError(101, f"the test lets nothing out, not even to {text}")

    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *arguments: Any, **more: Any) -> Any:
        refuse_foreign(host)
        return look_up(host, *arguments, **more)

    for name, position in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        guard(name, position)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield tried
    assert not tried, f"something tried to reach {', '.join(tried)}"


# -- where everything is provided, a skipped test is a failed one -----------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_if_provided(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _fail_if_provided(report)
    return report


def _fail_if_provided(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if os.environ.get("NO_SKIPS") and PROVIDED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything is provided (NO_SKIPS is set): {reason}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failed test at once: a run that is cut short never comes to its summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nfailed: {report.nodeid}", file=sys.__stderr__, flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process that died is written down for tools/suite.py: what it ran may pass alone, and it has still died."""
    if error:
        node.config.cache.set("suite/died", [str(error)])
