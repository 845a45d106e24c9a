"""Write the book as a website that needs no network: `_site/index.html`. `--check` builds nothing and checks what is there."""

import argparse
import shutil
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from docs_check import check_browser, check_links
from docs_pages import ROOT, make_stage
from sphinx.application import Sphinx
from sphinx.util.console import nocolor

SITE = ROOT / "_site"
SETTINGS = dict(
    project="llmft",
    author="The llmft authors",
    copyright="the llmft authors",
    html_title="llmft",
    language="en",
    extensions=["myst_nb", "sphinx_copybutton", "docs_sphinx"],
    nb_execution_mode="off",
    nb_merge_streams=True,
    myst_enable_extensions=["dollarmath", "html_image", "fieldlist", "attrs_block", "colon_fence"],
    myst_heading_anchors=4,
    myst_dmath_allow_space=False,
    myst_dmath_allow_digits=False,
    python_maximum_signature_line_length=72,
    add_module_names=False,
    toc_object_entries_show_parents="hide",
    html_math_renderer="mathml",
    html_search_language="pairs",
    html_theme="sphinx_book_theme",
    html_static_path=[str(Path(__file__).parent / "docs_static")],
    html_css_files=["llmft.css"],
    html_js_files=["llmft.js"],
    html_favicon=str(Path(__file__).parent / "docs_static" / "llmft.svg"),
    html_copy_source=False,
    html_show_sourcelink=False,
    html_show_sphinx=False,
    html_context={"default_mode": "auto"},
    html_theme_options=dict(
        navbar_persistent=[],
        navbar_start=[],
        navbar_center=[],
        navbar_end=[],
        home_page_in_toc=True,
        use_download_button=False,
        use_fullscreen_button=False,
        show_toc_level=2,
        search_bar_text="Search 検索",
        pygments_dark_style="github-dark",
        logo=dict(text="llmft"),
    ),
)


def build() -> None:
    "Write the site anew. A warning of Sphinx ends the program."
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        stage, out = Path(folder) / "stage", Path(folder) / "html"
        stage.mkdir()
        n_pages = make_stage(stage)
        app = Sphinx(
            stage,
            None,
            out,
            Path(folder) / "doctrees",
            "html",
            SETTINGS,
            status=None,
            warning=sys.stderr,
            warningiserror=True,
        )
        app.build(force_all=True)
        if app.statuscode:
            sys.exit("docs: Sphinx found something to mend; see above")
        shutil.copy(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf", out / "_static")
        (out / "_sources").rmdir()  # always empty
        for left in [out / ".buildinfo", *(out / "_static").glob("*macros.html")]:
            left.unlink()  # of no use to a reader
        shutil.rmtree(SITE, ignore_errors=True)
        shutil.copytree(out, SITE)
    size = sum(p.stat().st_size for p in SITE.rglob("*") if p.is_file()) / 2**20
    print(
        f"{n_pages} pages, {size:.0f} MiB, {time.perf_counter() - begin:.0f} s: {(SITE / 'index.html').relative_to(ROOT)}"
    )


def check() -> None:
    "Check the links, and the pages in a browser where one is found."
    if not (SITE / "index.html").exists():
        sys.exit("docs: there is no _site yet; run make docs first")
    faults = check_links(SITE) + check_browser(SITE)
    for fault in faults:
        print(f"        {fault}")
    if faults:
        sys.exit(f"docs: {len(faults)} faults")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="check the site that is there, and build nothing"
    )
    nocolor()
    try:
        if not parser.parse_args().check:
            build()
        check()
    except ValueError as fault:
        sys.exit(f"docs: {fault}")
