"""Write the book as a website that needs no network: `_site/index.html`, in Japanese below `_site/ja`. `--check` builds nothing and checks what is there."""

import shutil
import sys
import tempfile
import time
import tomllib
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

from common import ROOT
from docs_check import check_browser, check_links
from docs_pages import make_stage
from sphinx.application import Sphinx
from sphinx.util.console import nocolor

SITE, STATIC = ROOT / "_site", ROOT / "tools" / "docs_static"


def build_edition(language, stage, place):
    "One language, in a process of its own: Sphinx keeps what a first site has registered. A warning of Sphinx ends it."
    settings = tomllib.loads((STATIC / "sphinx.toml").read_text(encoding="utf-8"))
    settings |= dict(html_static_path=[str(STATIC)], html_favicon=str(STATIC / "llmft.svg"))
    names = make_stage(stage, language)
    settings["linkcode_resolve"] = lambda domain, info: cell_link(names, **info)
    settings["language"] = language
    trees = stage.with_name(f"trees-{language}")
    app = Sphinx(stage, None, place, trees, "html", settings, status=None, warningiserror=True)
    app.build(force_all=True)
    clean(place)
    sys.exit(app.statuscode)


def build():
    "Write the site anew, both languages side by side."
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out, jobs = Path(folder) / "html", []
        for language, place in (("en", out), ("ja", out / "ja")):
            words = (language, Path(folder) / f"stage-{language}", place)
            jobs.append(get_context("spawn").Process(target=build_edition, args=words))
            jobs[-1].start()
        for job in jobs:
            job.join()
        any(job.exitcode for job in jobs) and sys.exit("docs: something to mend; see above")
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(out, SITE)
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file()) / 2**20
    print(f"{size:.0f} MiB, {time.perf_counter() - begin:.0f} s: _site and _site/ja/index.html")


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
