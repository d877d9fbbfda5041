"""The site's server: files, and the reader's own page where there is none."""

from __future__ import annotations

import functools
import threading
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from labkit.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Quiet(Pages):
    """Without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A site of three files."""
    (tmp_path / "site" / "zh-TW").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("home", encoding="utf-8")
    (tmp_path / "site" / "zh-TW" / "404.html").write_text("沒有這一頁", encoding="utf-8")
    (tmp_path / "404.html").write_text("not the site's", encoding="utf-8")
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def get(url: str) -> tuple[int, str]:
    answer = httpx.get(url, trust_env=False)
    return answer.status_code, answer.text


def test_what_is_there_is_served(address: str) -> None:
    assert get(f"{address}/") == (200, "home")


@pytest.mark.parametrize("path", ["/zh-TW/none.html", "/zh-TW/labs/none.html", "/zh-TW/none/"])
def test_a_wrong_address_has_its_languages_own_page(address: str, path: str) -> None:
    assert get(address + path) == (404, "沒有這一頁")


@pytest.mark.parametrize("path", ["/none.html", "/en/none.html", "/../404.html", "/%2e%2e/404.html"])
def test_where_a_language_has_none_and_outside_the_site_it_is_pythons(address: str, path: str) -> None:
    code, text = get(address + path)
    assert code == 404
    assert "not the site's" not in text


def test_a_head_has_no_body(address: str) -> None:
    answer = httpx.head(f"{address}/zh-TW/none.html", trust_env=False)
    assert (answer.status_code, answer.content) == (404, b"")
