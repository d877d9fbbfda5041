// Changing the language keeps the place: sections have the same anchors in both, and a search keeps its words.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.lang-link");
  if (link) link.href = link.href.replace(/[?#].*$/, "") + location.search + location.hash;
});
