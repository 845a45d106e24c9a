"""Write the book as a website that needs no network: `_site/index.html`. `--check` builds nothing and checks what is there."""

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
        stage, out, trees = (Path(folder) / name for name in ("stage", "html", "doctrees"))
        n_pages = make_stage(stage)
        say = dict(status=None, warning=sys.stderr, warningiserror=True)
        app = Sphinx(stage, None, out, trees, "html", settings, **say)
        app.build(force_all=True)
        if app.statuscode:
            sys.exit("docs: Sphinx found something to mend; see above")
        shutil.copy(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf", out / "_static")
        (out / "_sources").rmdir()  # always empty
        for left in [".buildinfo", "_static/sphinx.toml"]:
            (out / left).unlink()
        for left in (out / "_static").glob("*macros.html"):
            left.unlink()  # of no use to a reader
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(out, SITE)
    size = sum(p.stat().st_size for p in SITE.rglob("*") if p.is_file()) / 2**20
    spent = time.perf_counter() - begin
    print(f"{n_pages} pages, {size:.0f} MiB, {spent:.0f} s: _site/index.html")


if __name__ == "__main__":
    nocolor()
    if "--check" not in sys.argv:
        build()
    if not (SITE / "index.html").exists():
        sys.exit("docs: there is no _site yet; run make docs first")
    if faults := check_links(SITE) + check_browser(SITE):
        sys.exit("\n        ".join([f"docs: {len(faults)} faults", *faults]))
