"""The site in a real browser: search, languages, keyboard, accessibility, phone and desk, and no other host.

`SITE_DIR` points the tests at a site that is built already (such as the one with executed notebooks); else they build
their own.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.browser

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LANGUAGES = ("en", "zh-TW")
CHAPTER, LAB = "chapters/03-asset-watchers", "labs/03-asset-watchers"
PAGES = ("index", CHAPTER, LAB, "broker-passports", "passports/kafka", "capacity", "seed-ledger", "glossary", "search")
PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=800)


Scheme = Literal["light", "dark"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each, and many over one connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Visit:
    """One page in one browser context, with what it did wrong."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.faults: list[str] = []
        context.set_default_timeout(10_000)
        self.page = context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("response", self._on_response)
        context.route("**/*", self._on_request)

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console {message.type}: {message.text}")

    def _on_response(self, response: Any) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.status} for {response.url}")

    def _on_request(self, route: Any) -> None:
        url = route.request.url
        if urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).hostname != "127.0.0.1":
            self.faults.append(f"a request to another host: {url}")
            route.abort()
        else:
            route.continue_()

    def open(self, path: str) -> Page:
        """Load a page and what its scripts fetch."""
        try:
            self.page.goto(f"{self.base}/{path}", wait_until="networkidle")
        except Error as error:
            # Seen once when others on the machine made network interfaces, though this is the loopback.
            if "ERR_NETWORK_CHANGED" not in str(error):
                raise
            self.page.goto(f"{self.base}/{path}", wait_until="networkidle")
        return self.page


@pytest.fixture(scope="module")
def base(request: pytest.FixtureRequest) -> Iterator[str]:
    """The site's address."""
    given = os.environ.get("SITE_DIR")
    folder = Path(given) if given else request.getfixturevalue("site")
    assert (folder / "en" / "index.html").exists(), f"no site in {folder}"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser, base: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A fresh reader; options for the browser's context come as the fixture's parameter. Faults fail the test."""
    context = browser.new_context(**{"viewport": DESK, "locale": "en-US", **getattr(request, "param", {})})
    visit = Visit(context, base)
    yield visit
    context.close()
    assert visit.faults == []


def search(visit: Visit, lang: str, words: str) -> list[str]:
    """Return the pages found, in the order shown."""
    page = visit.open(f"{lang}/search.html?q={words}")
    status = page.locator("#search-results .search-summary")
    expect(status).to_have_text(re.compile(r"found|找到|did not match|沒有任何一頁"))
    page.wait_for_load_state("networkidle")
    links = page.locator("#search-results li a").evaluate_all("links => links.map(a => new URL(a.href).pathname)")
    return [re.sub(rf"^/{lang}/|\.html$", "", link) for link in links]


@pytest.mark.parametrize(
    ("lang", "words", "found"),
    [
        ("zh-TW", "觸發器", CHAPTER),
        ("zh-TW", "監看器", CHAPTER),
        ("zh-TW", "Kafka", CHAPTER),
        ("zh-TW", "筆電", "index"),  # in running text only, no heading has it
        ("zh-TW", "觸", "glossary"),
        ("en", "triggerer", CHAPTER),
        ("en", "觸發者", "glossary"),
    ],
)
def test_search_finds(visit: Visit, lang: str, words: str, found: str) -> None:
    assert found in search(visit, lang, words)
    marked = visit.page.locator("#search-results .highlighted").all_inner_texts()
    assert words.lower() in {text.lower() for text in marked}, "the word as typed is marked"


@pytest.mark.parametrize(("lang", "words"), [("zh-TW", "量子糾纏"), ("en", "zyxwv")])
def test_search_does_not_find_what_is_not_there(visit: Visit, lang: str, words: str) -> None:
    assert search(visit, lang, words) == []


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("lang", "other"), [("en", "zh-TW"), ("zh-TW", "en")])
def test_language_switch_keeps_page_and_place(visit: Visit, lang: str, other: str, page: str) -> None:
    opened = visit.open(f"{lang}/{page}.html")
    anchor = opened.locator("article section[id]").last.get_attribute("id") if page != "search" else None
    if anchor:
        opened.evaluate("anchor => { location.hash = anchor }", anchor)
    opened.locator(".lang-switcher a.lang-link").click()
    opened.wait_for_load_state("networkidle")
    assert opened.url == f"{visit.base}/{other}/{page}.html" + (f"#{anchor}" if anchor else "")
    assert opened.locator("html").get_attribute("lang") == other
    if anchor:
        expect(opened.locator(f"[id='{anchor}']")).to_have_count(1)


@pytest.mark.parametrize("visit", [{"locale": "zh-TW"}], indirect=True)
def test_root_sends_chinese_readers_to_chinese(visit: Visit) -> None:
    visit.open("index.html").wait_for_url("**/zh-TW/index.html")


def test_root_sends_others_to_english(visit: Visit) -> None:
    visit.open("index.html").wait_for_url("**/en/index.html")


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_root_lets_you_choose_and_choices_open(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("link", name="English").click()
    page = visit.open(f"en/{CHAPTER}.html")
    choice = page.locator("details.choice").first
    choice.locator("summary").click()
    expect(choice).to_have_attribute("open", "")


def test_choices_open_from_the_keyboard(visit: Visit) -> None:
    page = visit.open(f"zh-TW/{CHAPTER}.html")
    choice = page.locator("details.choice-right").first
    expect(choice).not_to_have_attribute("open", "")
    choice.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(choice).to_have_attribute("open", "")
    expect(choice).to_contain_text("答對了。")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_page_is_accessible(browser: Browser, base: str, lang: str, page: str, scheme: Scheme) -> None:
    """No axe violation, in either colour scheme, with everything that folds open."""
    context = browser.new_context(viewport=DESK, color_scheme=scheme, reduced_motion="reduce")
    visit = Visit(context, base)
    opened = visit.open(f"{lang}/{page}.html" + ("?q=Kafka" if page == "search" else ""))
    expect(opened.locator("html")).to_have_attribute("data-theme", scheme)
    opened.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    faults = list(visit.faults)  # axe itself then looks for stylesheets where they are not
    result = Axe().run(opened)
    context.close()
    assert result.violations_count == 0, result.generate_report()
    assert faults == []


@pytest.mark.parametrize("page", [*PAGES, "local-lane", "404"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_page_is_no_wider_than_the_screen(browser: Browser, base: str, lang: str, page: str) -> None:
    """Wide code, tables and outputs scroll in their own boxes; the way to the other language is in sight."""
    context = browser.new_context(viewport=PHONE)
    opened = Visit(context, base).open(f"{lang}/{page}.html")
    opened.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    for viewport in (PHONE, DESK):
        opened.set_viewport_size(viewport)
        assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        link = opened.locator(".lang-switcher a.lang-link").bounding_box()
        assert link is not None
        assert link["x"] >= 0
        assert link["x"] + link["width"] <= viewport["width"]
    context.close()


@pytest.mark.parametrize(
    "fault", ["console.warn('ours')", "fetch('https://course.example/x').catch(() => 0)", "fetch('/missing')"]
)
def test_faults_are_noticed(browser: Browser, base: str, fault: str) -> None:
    """The checks above can fail."""
    context = browser.new_context()
    visit = Visit(context, base)
    visit.open("en/index.html").evaluate(fault)
    visit.page.wait_for_load_state("networkidle")
    context.close()
    assert visit.faults
