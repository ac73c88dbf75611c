"""A small data set on a loopback server, in place of the real files and of the web."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_mnist import SMALL_CONTENT

from backdoor_curves.datasets.catalogue import CATALOGUE, Catalogued
from backdoor_curves.datasets.remote import RemoteFile

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data"


class Web:
    """What the server answers, by path (status, body, bytes that it promises), and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, int | None]] = {}
        self.asked: list[str] = []
        self.stalls = threading.Event()
        self.url = ""

    def serve(self, path: str, body: bytes, *, status: int = 200, promised: int | None = None) -> None:
        """Answer `path` with `body`; a promise of more bytes than that is a transfer that breaks off."""
        self.answers[path] = status, body, len(body) if promised is None else promised

    def serve_all(self, mirror: str) -> None:
        """Serve every file of the small data set, as it should be."""
        for name, content in SMALL_CONTENT.items():
            self.serve(f"/{mirror}/{name}.gz", gzip.compress(content))


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if self.path.startswith("/stalls/"):
                state.stalls.wait(10)
            status, body, promised = state.answers.get(self.path, (404, b"", 0))
            self.send_response(status)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.stalls.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own, no data folder in the environment, no proxy before the loopback server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("BACKDOOR_CURVES_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "xdg" / "backdoor-curves"


@pytest.fixture
def small(web: Web, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Web:  # noqa: ARG001
    """The small data set under the name of mnist, on the mirrors `first` and `second`, which serve nothing yet."""
    mirrors = (f"{web.url}/first/", f"{web.url}/second/")
    files = tuple(RemoteFile(name, hashlib.sha256(body).hexdigest(), mirrors) for name, body in SMALL_CONTENT.items())
    monkeypatch.setitem(CATALOGUE, "mnist", Catalogued(files, "a small stand-in"))
    return web


@pytest.fixture
def put() -> Callable[..., None]:
    """A function that writes the small data set into a folder."""

    def put_files(folder: Path, *, compressed: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in SMALL_CONTENT.items():
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(body))
            else:
                (folder / name).write_bytes(body)

    return put_files


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real MNIST files, where there is one."""
    if not (REAL_DATA / "mnist" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip("the real MNIST files are not beside the repository")
    return REAL_DATA
