// A page that is opened as a file may not read other files, so the search shows titles without excerpts there.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
// The first visit opens the language of the browser; who follows a link to the other language stays there.
addEventListener("DOMContentLoaded", () => {
  const here = document.documentElement, other = document.querySelector("p.twin a");
  if (!other) return;
  other.addEventListener("click", () => localStorage.setItem("llmft-language", here.lang === "ja" ? "en" : "ja"));
  const front = here.dataset.content_root === "./" && /(\/|index\.html)$/.test(location.pathname);
  const wanted = localStorage.getItem("llmft-language") || navigator.language.slice(0, 2);
  if (front && here.lang === "en" && wanted === "ja") location.replace(other.href);
});
