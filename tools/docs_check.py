"""Checks of the finished site: every link leads somewhere, nothing is loaded from elsewhere, and every page works in a browser."""

import os
import re
import shutil
from urllib.parse import unquote, urlsplit

from lxml import html

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
# words → a page that holds them
SEARCHES = {
    "学習率": "nbs/14_pretraining",
    "汐見町": "nbs/97_world",
    "LoRA": "nbs/22_lora",
    "方策勾配": "nbs/42_rl",
}
HIDDEN_PICTURES = """async () => {
  const all = [...document.images];
  await Promise.all(all.map(i => i.decode().catch(() => 0)));
  return all.filter(i => !i.naturalWidth || !i.hasAttribute("alt")).map(i => i.getAttribute("src"));
}"""
FOCUS = """() => {
  const e = document.activeElement, s = getComputedStyle(e), outline = parseFloat(s.outlineWidth) > 0;
  return {name: (e.innerText || e.ariaLabel || e.tagName).trim(), link: e.getAttribute("href") || "",
          search: !!e.closest("[class*=search-button]"),
          seen: (s.outlineStyle !== "none" && outline) || s.boxShadow !== "none"};
}"""
FOUND = "document.querySelector('#search-results .search-summary')?.innerText.match(/found|match/)"
RESULTS = "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href'))"


def links_of(path, tree):
    "(address, whether it is loaded) of all that a page or a style names."
    if tree is None:
        names = re.findall(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s?]+)", path.read_text("utf-8"))
        return [(name, True) for name in names]
    leading = ("next", "prev", "index", "search", "canonical")
    shown = lambda element: element.tag == "a" or element.get("rel") in leading
    return [(address, not shown(element)) for element, _, address, _ in tree.iterlinks()]


def check_links(site):
    "Every file that a page or a style loads is in the site, and every link within it leads to a page and a place on it."
    trees = {path: html.parse(path).getroot() for path in sorted(site.rglob("*.html"))}
    ids = {path: {"", "top", *tree.xpath("//@id | //@name")} for path, tree in trees.items()}
    pages = {**trees, **dict.fromkeys(site.rglob("*.css"))}
    faults = []
    for path, (address, loaded) in ((p, link) for p, t in pages.items() for link in links_of(p, t)):
        parts = urlsplit(address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        place, fault = unquote(parts.fragment), ""
        if parts.scheme or parts.netloc:
            if parts.scheme != "data" and (loaded or not re.match("https?$|mailto", parts.scheme)):
                fault = "lies outside the site"
        elif not target.is_file() or not target.is_relative_to(site):
            fault = "leads nowhere"
        elif place not in ids.get(target, {place}):
            fault = "leads to no place on that page"
        faults += [f"{path.relative_to(site)}: {address} {fault}"] * bool(fault)
    print(f"links of {len(ids)} HTML files: {len(faults)} faults")
    return faults


def check_browser(site):
    "Every page in headless Chromium at 390 and 1440 pixels: no request outside, no error, nothing wider than the screen; keyboard and search."
    found = [os.environ.get("LLMFT_CHROMIUM"), *map(shutil.which, BROWSERS)]
    if not (program := next(filter(None, found), None)):
        print("no Chromium on the PATH, so no page was opened; LLMFT_CHROMIUM may name a browser")
        return []
    from playwright.sync_api import sync_playwright

    faults, inside = [], (site.as_uri(), "data:", "blob:")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page()
        page.set_default_timeout(300_000)  # milliseconds; a busy machine is slow, not wrong
        note = lambda text: faults.append(f"{page.url}: {text}")
        page.on("request", lambda r: r.url.startswith(inside) or note(f"asks for {r.url}"))
        page.on("console", lambda m: m.type == "error" and note(m.text))
        page.on("pageerror", note)
        paths = sorted(site.rglob("*.html"))
        for path in paths:
            look_at(page, path.as_uri(), note)
        use_keyboard(page, (site / "index.html").as_uri(), note)
        for words, expected in SEARCHES.items():
            page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
            page.wait_for_function(FOUND)
            if not any(link.startswith(expected) for link in page.evaluate(RESULTS)):
                note(f"{words} does not find {expected}.html")
        browser.close()
    print(f"{len(paths)} pages opened at 390 and 1440 pixels: {len(faults)} faults")
    return [fault.replace(site.as_uri() + "/", "") for fault in faults]


def look_at(page, address, note):
    "Open one page, broad and narrow; every picture shows, and the page cannot be pushed sideways."
    page.goto(address)
    for width in (1440, 390):
        page.set_viewport_size(dict(width=width, height=900))
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            note(f"{wide} pixels wide on a screen of {width}")
    for name in page.evaluate(HIDDEN_PICTURES):
        note(f"the picture {name} does not show, or has no words")


def use_keyboard(page, address, note):
    "Tab reaches the search and the chapters, each stop can be seen, and Ctrl+K opens the search."
    from playwright.sync_api import TimeoutError

    page.set_viewport_size(dict(width=1440, height=900))
    page.goto(address)
    stops = []
    for _ in range(20):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUS))
    if not any(stop["search"] for stop in stops):
        note("Tab does not reach the search")
    if not any(stop["link"].startswith("nbs/") for stop in stops):
        note("Tab does not reach the chapters")
    for stop in stops:
        if not stop["seen"]:
            note(f"no one sees where Tab stands at {stop['name']!r}")
    page.keyboard.press("Control+k")
    page.keyboard.type("LoRA")
    page.keyboard.press("Enter")
    try:
        page.wait_for_url("**/search.html?q=LoRA*", timeout=5000)
    except TimeoutError:
        note("Ctrl+K, LoRA and Enter do not lead to the search page")
