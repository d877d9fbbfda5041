"""A search that finds Chinese: every run of CJK characters is indexed as overlapping pairs (bigrams).

Sphinx 9.0's own Chinese search is broken (sphinx#14229, mended in 9.2, which needs a newer Python): every query, even
`Kafka`, finds nothing. Mended or not, it depends on jieba, whose dictionary is made for Simplified Chinese: measured on
the words of Airflow's interface, it found 15-20 % of what was there. Pairs need no dictionary, find everything, and
split the query as the page was split.

The English site uses the same splitter, since its pages hold Chinese words too (the glossary, the UI's strings).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sphinx.search.en import SearchEnglish

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

CJK = r"\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
RUN = re.compile(rf"[{CJK}]+|[^\W{CJK}]+")
IS_CJK = re.compile(rf"[{CJK}]")


class SearchBigrams(SearchEnglish):
    """English stemming for words, pairs for CJK.

    `language_name` stays `English`: it names the JavaScript stemmer that Sphinx ships, which leaves CJK alone.
    """

    js_splitter_code = rf"""
const searchRuns = (query) => query.match(/[{CJK}]+|(?:(?![{CJK}])[\p{{L}}\p{{N}}_])+/gu) || [];
const searchPairs = (run) => Array.from({{ length: run.length - 1 }}, (_, i) => run.slice(i, i + 2));
var splitQuery = (query) =>
  searchRuns(query).flatMap((run) => (run.length < 3 || !/^[{CJK}]/u.test(run) ? [run] : searchPairs(run)));

// Pairs are for finding. What is marked in the results and on the page is the word as it was typed.
if (typeof Search !== "undefined") {{
  const parseQuery = Search._parseQuery;
  Search._parseQuery = (query) => {{
    const parsed = parseQuery(query);
    parsed[3] = new Set(searchRuns(query.toLowerCase()).filter((run) => !stopwords.has(run)));
    localStorage.setItem("sphinx_highlight_terms", [...parsed[3]].join(" "));
    return parsed;
  }};
}}
"""

    def split(self, input: str) -> list[str]:  # noqa: A002  the base class names it so
        """Split into words and pairs; single characters too, for queries of one character."""
        terms: list[str] = []
        for run in RUN.findall(input):
            if IS_CJK.match(run) and len(run) > 1:
                terms += [run[i : i + 2] for i in range(len(run) - 1)]
                terms += run
            else:
                terms.append(run)
        return terms

    def word_filter(self, word: str) -> bool:
        """Keep every CJK term; English words pass Sphinx's own filter."""
        return bool(IS_CJK.match(word)) or super().word_filter(word)

    def stem(self, word: str) -> str:
        """Leave CJK as it is."""
        return word if IS_CJK.match(word) else super().stem(word)


class SearchBigramsZhTW(SearchBigrams):
    """The same for the Chinese site; Sphinx picks the class by the language's code."""

    lang = "zh_TW"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Replace Sphinx's search for both languages."""
    app.add_search_language(SearchBigrams)
    app.add_search_language(SearchBigramsZhTW)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
