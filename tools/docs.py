"""Write the book as a website that needs no network: `_site/index.html`, in Japanese below `_site/ja`. `--check` builds nothing and checks what is there."""

import shutil
import sys
import tempfile
import time
import tomllib
from importlib.resources import files
from pathlib import Path

from common import ROOT
from docs_check import check_browser, check_links
from docs_pages import make_stage
from sphinx.application import Sphinx
from sphinx.util.console import nocolor

SITE, STATIC = ROOT / "_site", ROOT / "tools" / "docs_static"


def build():
    "Write the site anew. A warning of Sphinx ends the program."
    begin = time.perf_counter()
    settings = tomllib.loads((STATIC / "sphinx.toml").read_text(encoding="utf-8"))
    settings |= dict(html_static_path=[str(STATIC)], html_favicon=str(STATIC / "llmft.svg"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "html"
        for language, place in (("en", out), ("ja", out / "ja")):
            stage, trees = (Path(folder) / f"{name}-{language}" for name in ("stage", "trees"))
            names = make_stage(stage, language)
            settings["linkcode_resolve"] = lambda domain, info: cell_link(names, **info)
            settings["language"] = language
            app = Sphinx(
                stage, None, place, trees, "html", settings, status=None, warningiserror=True
            )
            app.build(force_all=True)
            if app.statuscode:
                sys.exit("docs: Sphinx found something to mend; see above")
            clean(place)
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(out, SITE)
    sizes = [path.stat().st_size for path in SITE.rglob("*") if path.is_file()]
    spent = time.perf_counter() - begin
    print(f"{sum(sizes) / 2**20:.0f} MiB, {spent:.0f} s: _site/index.html")


def clean(place):
    "Add the font of formulas, and take out what Sphinx leaves and nobody needs."
    shutil.copy(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf", place / "_static")
    (place / "_sources").rmdir()  # always empty
    of_no_use = (place / "_static").glob("*macros.html")
    for left in (place / ".buildinfo", place / "_static" / "sphinx.toml", *of_no_use):
        left.unlink()


def cell_link(names, module, fullname):
    "From a symbol of the API to the cell that explains it."
    page, cell = names.get(f"{module}.{fullname.split('.')[0]}", ("", ""))
    return f"../nbs/{page}.html#cell-{page[:2]}-{cell}" if page else None


if __name__ == "__main__":
    nocolor()
    if "--check" not in sys.argv:
        build()
    if not (SITE / "index.html").exists():
        sys.exit("docs: there is no _site yet; run make docs first")
    if faults := check_links(SITE) + check_browser(SITE):
        sys.exit("\n        ".join([f"docs: {len(faults)} faults", *faults]))
