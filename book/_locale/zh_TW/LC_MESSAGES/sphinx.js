// What Sphinx's search says. Its own zh_TW file translates the number of results with an empty string.
Documentation.addTranslations({
  locale: "zh_TW",
  plural_expr: "0",
  messages: {
    "Hide Search Matches": "不再標示搜尋的字",
    "Preparing search...": "準備搜尋中…",
    "Search Results": "搜尋結果",
    "Searching": "搜尋中",
    "Search finished, found one page matching the search query.": ["找到 ${resultCount} 頁。"],
    "Search finished, found ${resultCount} pages matching the search query.": ["找到 ${resultCount} 頁。"],
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "沒有任何一頁有這些字。換個說法，或到詞彙表看看本課程用哪個詞。",
  },
});
