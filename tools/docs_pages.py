"""The sources of the site: notebooks without their hidden cells, the Markdown files of the repository, and pages of the API."""

import ast
import re
import shutil
from collections import defaultdict
from pathlib import Path

import nbformat
from common import PAGES, ROOT, defined_names, read_notebook, without_magics

from llmft.book import count_checks, formulas_to_mathml
from llmft.translation import read_po, translate_notebook, translated_source

PARTS = {
    "01": "1 Pretraining 事前学習",
    "2": "2 LoRA",
    "3": "3 QLoRA",
    "4": "4 GRPO",
    "5": "5 Evaluation 評価",
    "6": "6 Hosted fine-tuning",
    "7": "Commands コマンド",
    "89": "Workshop 道具",
}
ABOUT = {
    "CONTRIBUTING.md": "Contributing",
    "PAPERS.md": "Papers 論文",
    "PARITY.md": "Equal to the libraries 一致の表",
    "data/README.md": "Data",
    "CHANGELOG.md": "Changelog",
}
# file of the repository → page
FILES = {"README.md": "index.md", "README.ja.md": "index.md", **{name: name for name in ABOUT}}
CATALOG = lambda name, language: read_po(ROOT / "po" / language / f"{name}.po")[0]  # none: English
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
WIDE = r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uff65]"
API = """\
# llmft.{module}

Made from the notebook [{page}](../nbs/{page}.ipynb), where each piece is explained and tested.

```{{eval-rst}}
.. automodule:: llmft.{module}
   :members:
   :member-order: bysource
```
"""
API_INDEX = """\
# API

Every public symbol of the package.

```{{eval-rst}}
.. autosummary::

   {modules}
```

{tree}
"""


def outside_code(text, pattern, new):
    "Markdown with a pattern replaced in all but code spans and code blocks."
    parts = CODE.split(text)
    parts[::2] = [re.sub(pattern, new, part, flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts)


def placed(page, stage):
    "How links of a page to files of the repository are written: to their pages where they have one, else to a copy."

    def replaced(m):
        target, _, anchor = m[2].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return m[0]
        file = (ROOT / page).parent.joinpath(target).resolve()
        file = file / "README.md" if file.is_dir() else file
        if not file.is_file():
            raise ValueError(f"{page}: a link to {m[2]}, which does not exist; mend the link")
        name = file.relative_to(ROOT).as_posix().replace("nbs/index.ipynb", "README.md")
        if name not in FILES and not name.endswith(".ipynb"):
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, stage / name)
        anchor = f"#{anchor}" if anchor else ""
        return f"{m[1]}{'../' * page.count('/')}{FILES.get(name, name)}{anchor}{m[3]}"

    return replaced


def details_html(m):
    "Formulas and code spans inside <details>, which Markdown leaves alone, as HTML; an empty line would end the block."
    parts = re.split(r"(<pre>.*?</pre>)", m[0], flags=re.DOTALL)
    to_html = lambda p: re.sub(r"`([^`\n]+)`", r"<code>\1</code>", formulas_to_mathml(p))
    parts[::2] = map(to_html, parts[::2])
    return re.sub(r"\n(?=\n)", "\n<!-- -->", "".join(parts))


def prose(text, page, stage):
    "Prose as MyST reads it: no comment for a line that begins with %, numbers of papers as links."
    text = outside_code(text, r'(\]\(|(?:href|src)=")([^)"\s]+)([)"])', placed(page, stage))
    text = re.sub(r"<details>.*?</details>", details_html, text, flags=re.DOTALL)
    text = outside_code(text, r"^%", r"\\%")
    text = outside_code(text, rf"(?<={WIDE})\n(?={WIDE})", "")  # no space within Japanese
    paper = r"\[[^\]]*\]\([^)]*\)|(?<![\w/])(arXiv:(\d{4}\.\d{4,5}))"
    link = lambda m: f"[{m[1]}](https://arxiv.org/abs/{m[2]})" if m[1] else m[0]
    return outside_code(text, paper, link)


def fold(cell, tag, words):
    "Fold a cell, or its code alone, to one line."
    cell.metadata.update(tags=[tag], mystnb=dict(code_prompt_show=words, code_prompt_hide=words))


def show_code(cell, marks):
    "Take the directives out of a cell; tag what is not run, and fold tests and what only imports."
    if n := count_checks(cell):
        fold(cell, "hide-cell", f"{n} check{'s' * (n > 1)} passed テスト{n}件合格")
    cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip("\n")
    if {"slow", "gpu", "net", "eval: false"} & {*marks}:
        cell.metadata["tags"] = ["not-run"]
    statements = ast.parse(without_magics(cell.source)).body
    if all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in statements):
        fold(cell, "hide-input", "Imports")


def twin(page, language):
    "The link from a page to the same page in the other language."
    up = "../" * page.count("/")
    place, word = (f"{up}../", "English") if language == "ja" else (f"{up}ja/", "日本語")
    return f'<p class="twin"><a href="{place}{page}.html">{word}</a></p>\n\n'


def staged_notebook(path, cells, stage, language):
    "A notebook as it is shown; `cells` maps a page and the id of a cell to the names that it exports."
    notebook, shown = nbformat.read(path, as_version=4), []
    if language != "en":
        notebook = translate_notebook(notebook, CATALOG(path.stem, language))
    shown.append(nbformat.v4.new_markdown_cell(twin(f"nbs/{path.stem}", language)))
    for cell in notebook.cells:
        marks = re.findall(r"^#\|\s*(.*?)\s*$", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "raw" or "hide" in marks or "default_exp" in "".join(marks):
            continue
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, f"nbs/{path.name}", stage)
        else:
            show_code(cell, marks)
        if names := cells[path.stem, cell.id]:
            links = " ".join(f"{{py:obj}}`{name}`" for name in names)
            text = f"(cell-{path.stem[:2]}-{cell.id})=\n{{.exported}}\n{links}"
            shown.append(nbformat.v4.new_markdown_cell(text))
        shown.append(cell)
    notebook.cells = shown
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python3"}
    return notebook


def notebook_label(path, language):
    "For the list of chapters: the number and the first words of the title."
    source = translated_source(
        read_notebook(path, "markdown")[0].source, CATALOG(path.stem, language)
    )
    title = re.match(r"#\s+(.+)", source)[1]
    return f"{path.stem[:2]} {re.split(r'[:,] |：', title)[0]}"


def toctree(caption, entries):
    "A hidden list of pages."
    head = ["```{toctree}", ":hidden:"] + [f":caption: {caption}"] * bool(caption)
    return "\n".join([*head, "", *entries, "```"])


def contents(language):
    "The lists of pages that the side bar shows: the chapters by parts, the reference."
    about = [f"{title} <{name[:-3]}>" for name, title in ABOUT.items()]
    listed = lambda digits: [
        f"{notebook_label(p, language)} <nbs/{p.stem}>" for p in PAGES if p.stem[0] in digits
    ]
    parts = [toctree(title, listed(digits)) for digits, title in PARTS.items()]
    return "\n\n".join([*parts, toctree("Reference 参照", ["API <api/index>", *about])])


def public_names():
    "Full name of each public symbol → (page, id of the cell that exports it)."
    cells = [(path.stem, cell) for path in PAGES for cell in read_notebook(path, "code")]
    public = [(page, cell) for page, cell in cells if "#| export\n" in cell.source]
    parsed = [(page, cell.id, ast.parse(without_magics(cell.source))) for page, cell in public]
    places = [(page, cell, node) for page, cell, tree in parsed for node in tree.body]
    full = lambda page, name: f"llmft.{page[3:]}.{name}"
    return {full(p, name): (p, c) for p, c, node in places for name in defined_names(node)}


def linked(text, names):
    "Markdown whose names of public symbols are links to their entries; code blocks are left alone."
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    full = lambda name: f"llmft.{name.removeprefix('llmft.')}"
    link = lambda m: f"{{py:obj}}`{m[1]} <{full(m[1])}>`" if full(m[1]) in names else m[0]
    parts[::2] = [re.sub(r"(?<!`)`([\w.]+)`(?!`)", link, part) for part in parts[::2]]
    return "".join(parts)


def make_stage(stage, language):
    "Write the sources of all pages into a new folder; what `public_names` gives."
    for folder in ("nbs", "api", "data"):
        (stage / folder).mkdir(parents=True)
    write = lambda name, text: (stage / name).write_text(text, encoding="utf-8")
    names, cells = public_names(), defaultdict(list)
    for name, place in names.items():
        cells[place].append(name)
    for path in PAGES:
        nbformat.write(staged_notebook(path, cells, stage, language), stage / "nbs" / path.name)
    pages = dict.fromkeys(page for page, _ in names.values())
    for page in pages:
        write(f"api/{page[3:]}.md", API.format(module=page[3:], page=page))
    modules, listed = [f"llmft.{page[3:]}" for page in pages], "\n   ".join
    tree = toctree("", [f"{module} <{module[6:]}>" for module in modules])
    write("api/index.md", API_INDEX.format(modules=listed(modules), tree=tree))
    front = "README.ja.md" if language == "ja" else "README.md"
    for name in (front, *ABOUT):
        text = translated_source(
            (ROOT / name).read_text(encoding="utf-8"), CATALOG(Path(name).stem, language)
        )
        text = twin(FILES[name][:-3], language) + linked(prose(text, name, stage), names)
        write(FILES[name], text + (f"\n{contents(language)}\n" if name == front else ""))
    return names
