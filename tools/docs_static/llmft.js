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
// Pages that were read to their end get a mark in the list of chapters and in the tables of the front page; the browser keeps them.
addEventListener("DOMContentLoaded", () => {
  const number = address => (address.match(/nbs\/(\d\d)_/) || [])[1];
  const read = new Set(JSON.parse(localStorage.getItem("llmft-read") || "[]"));
  const mark = () => document.querySelectorAll(".bd-links a, .bd-article td a").forEach(a => a.classList.toggle("read", read.has(number(a.href))));
  const end = document.querySelector(".prev-next-footer"), here = number(location.pathname);
  mark();
  if (!end || !here) return;
  new IntersectionObserver(seen => {
    if (!seen.some(entry => entry.isIntersecting)) return;
    read.add(here);
    localStorage.setItem("llmft-read", JSON.stringify([...read]));
    mark();
  }).observe(end);
});
