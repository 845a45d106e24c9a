"""Checks of the finished site: every link leads somewhere, nothing is loaded from elsewhere, and every page works in a browser."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
SEARCHES = {
    "学習率": "nbs/13_pretraining",
    "汐見町": "nbs/97_world",
    "LoRA": "nbs/22_lora",
    "方策勾配": "nbs/42_rl",
}  # words → a page that holds them
LOADING = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}


class Page(HTMLParser):
    "The ids of a page, the pages that it leads to, and the files that it loads."

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.loaded = {"", "top"}, [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in ("next", "prev", "index", "search", "canonical"):
            self.links.append(values["href"])
        elif tag in LOADING and values.get(LOADING[tag]):
            self.loaded.append(values[LOADING[tag]])
        self.loaded += [
            part.split()[0] for part in (values.get("srcset") or "").split(",") if part.strip()
        ]
        self.loaded += re.findall(r"url\(['\"]?([^'\")]+)", values.get("style") or "")


def is_elsewhere(address: str) -> bool:
    "Whether an address names another place than this site."
    return bool(urlsplit(address).scheme or address.startswith("//")) and not address.startswith(
        "data:"
    )


def check_links(site: Path) -> list[str]:  # faults
    "Every file that a page or a style loads is in the site, and every link within the site leads to a page and a place on it."
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    faults, n_links = [], 0

    def look(path, address, loads):
        if is_elsewhere(address):
            if loads or not re.match(r"https?:|mailto:", address):
                faults.append(f"{path.relative_to(site)}: {address} lies outside the site")
        elif not address.startswith("data:"):
            target = (
                (path.parent / unquote(urlsplit(address).path)).resolve()
                if urlsplit(address).path
                else path
            )
            if not target.is_file() or not target.is_relative_to(site):
                faults.append(f"{path.relative_to(site)}: {address} leads nowhere")
            elif target in pages and unquote(urlsplit(address).fragment) not in pages[target].ids:
                faults.append(f"{path.relative_to(site)}: {address} leads to no place on that page")

    for path, page in pages.items():
        n_links += len(page.links) + len(page.loaded)
        for address in page.links:
            look(path, address, False)
        for address in page.loaded:
            look(path, address, True)
    for path in site.rglob("*.css"):
        for address in re.findall(
            r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s]+)", path.read_text(encoding="utf-8")
        ):
            look(path, re.sub(r"\?.*", "", address), True)
    print(
        f"{len(pages)} HTML files, {n_links} links and loaded files: {len(faults)} broken or outside"
    )
    return faults


def find_browser() -> str | None:  # path of the program
    "Chromium or a relative: $LLMFT_CHROMIUM, or the first on the PATH."
    return os.environ.get("LLMFT_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def check_browser(site: Path) -> list[str]:  # faults
    "Every page in headless Chromium at 390 and 1440 pixels: no request outside, no error, nothing wider than the screen; keyboard and search."
    program = find_browser()
    if not program:
        print(
            "no Chromium on the PATH: the pages were not opened. Install chromium, or name a browser of its kind in LLMFT_CHROMIUM, then make docs"
        )
        return []
    from playwright.sync_api import sync_playwright

    faults, outside, errors = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page(viewport=dict(width=1440, height=900))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((site.as_uri(), "data:", "blob:"))
                else outside.append(f"{page.url}: asks for {r.url}")
            ),
        )
        page.on(
            "console",
            lambda m: errors.append(f"{page.url}: {m.text}") if m.type == "error" else None,
        )
        page.on("pageerror", lambda e: errors.append(f"{page.url}: {e}"))
        paths = sorted(site.rglob("*.html"))
        for path in paths:
            faults += look_at(page, path.as_uri())
        faults += use_keyboard(page, (site / "index.html").as_uri())
        for words, expected in SEARCHES.items():
            faults += try_search(page, site, words, expected)
        browser.close()
    print(
        f"{len(paths)} pages opened at 390 and 1440 pixels: {len(outside)} requests outside, {len(errors)} errors on the console, {len(faults)} other faults"
    )
    return [f.replace(site.as_uri() + "/", "") for f in outside + errors + faults]


def look_at(page, address: str) -> list[str]:  # faults
    "Open one page, broad and narrow; every picture shows, and the page cannot be pushed sideways."
    faults = []
    for width in (1440, 390):
        page.set_viewport_size(dict(width=width, height=900))
        if width == 1440:
            page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            faults.append(f"{address}: {wide} pixels wide on a screen of {width}")
    hidden = page.evaluate("""async () => { const all = [...document.images]; await Promise.all(all.map(i => i.decode().catch(() => 0)));
                              return all.filter(i => !i.naturalWidth || i.alt === null || !i.hasAttribute("alt")).map(i => i.getAttribute("src")); }""")
    return faults + [
        f"{address}: the picture {name} does not show, or has no words" for name in hidden
    ]


def use_keyboard(page, address: str) -> list[str]:  # faults
    "Tab reaches the search and the chapters, each stop can be seen, and Ctrl+K opens the search."
    from playwright.sync_api import TimeoutError

    page.set_viewport_size(dict(width=1440, height=900))
    page.goto(address)
    stops, faults = [], []
    for _ in range(20):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
            return {name: (e.innerText || e.ariaLabel || e.tagName).trim(), link: e.getAttribute("href") || "", search: !!e.closest("[class*=search-button]"),
                    seen: (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none"}; }""")
        )
    if not any(stop["search"] for stop in stops):
        faults.append(f"{address}: Tab does not reach the search")
    if not any(stop["link"].startswith("nbs/") for stop in stops):
        faults.append(f"{address}: Tab does not reach the chapters")
    faults += [
        f"{address}: no one sees where Tab stands at {stop['name']!r}"
        for stop in stops
        if not stop["seen"]
    ]
    page.keyboard.press("Control+k")
    page.keyboard.type("LoRA")
    page.keyboard.press("Enter")
    try:
        page.wait_for_url("**/search.html?q=LoRA*", timeout=5000)
    except TimeoutError:
        faults.append(f"{address}: Ctrl+K, LoRA and Enter do not lead to the search page")
    return faults


def try_search(page, site: Path, words: str, expected: str) -> list[str]:  # faults
    "The search page lists a page that holds the words."
    page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
    page.wait_for_function(
        "document.querySelector('#search-results .search-summary')?.innerText.match(/found|match/)"
    )
    found = page.evaluate(
        "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href'))"
    )
    print(f"search {words}: {len(found)} results")
    return (
        []
        if any(link.startswith(expected) for link in found)
        else [f"search.html: {words} does not find {expected}.html"]
    )
