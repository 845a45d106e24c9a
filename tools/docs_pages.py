"""The sources of the site: notebooks without their hidden cells, the Markdown files of the repository, and pages of the API."""

import ast
import re
import shutil

import nbformat
from common import PAGES, ROOT, read_notebook, without_magics
from docs_api import linked, module_page, read_module

from llmft.book import formulas_to_mathml

PARTS = {
    "1": "1 Pretraining 事前学習",
    "2": "2 LoRA",
    "3": "3 QLoRA",
    "4": "4 GRPO",
    "5": "5 Evaluation 評価",
    "6": "6 Hosted fine-tuning",
    "7": "Commands コマンド",
    "089": "Workshop 道具",
}
ABOUT = {
    "README.ja.md": "日本語の説明",
    "CONTRIBUTING.md": "Contributing",
    "PAPERS.md": "Papers 論文",
    "PARITY.md": "Equal to the libraries 一致の表",
    "data/README.md": "Data",
    "CHANGELOG.md": "Changelog",
}
FILES = {"README.md": "index.md", **{name: name for name in ABOUT}}  # file of the repository → page
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def outside_code(text, pattern, new):
    "Markdown with a pattern replaced in all but code spans and code blocks."
    parts = CODE.split(text)
    parts[::2] = [re.sub(pattern, new, part, flags=re.MULTILINE) for part in parts[::2]]
    return "".join(parts)


def placed(page, stage):
    """How links of a page to files of the repository are written: to their pages where they have one, else to a copy.

    Raises `ValueError` for a link to nothing.
    """

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
    paper = r"\[[^\]]*\]\([^)]*\)|(?<![\w/])(arXiv:(\d{4}\.\d{4,5}))"
    link = lambda m: f"[{m[1]}](https://arxiv.org/abs/{m[2]})" if m[1] else m[0]
    return outside_code(text, paper, link)


def show_code(cell, marks):
    "Take the directives out of a cell; tag what is not run, and fold what only imports."
    cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip("\n")
    if {"slow", "gpu", "net", "eval: false"} & {*marks}:
        cell.metadata["tags"] = ["not-run"]
    statements = ast.parse(without_magics(cell.source)).body
    if all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in statements):
        fold = {"code_prompt_show": "Imports", "code_prompt_hide": "Imports"}
        cell.metadata.update(tags=["hide-input"], mystnb=fold)


def staged_notebook(path, symbols, stage):
    "A notebook as it is shown; `symbols` maps ids of cells to names of what they export."
    notebook, module, shown = nbformat.read(path, as_version=4), path.stem[3:], []
    for cell in notebook.cells:
        marks = re.findall(r"^#\|\s*(.*?)\s*$", cell.source, flags=re.MULTILINE)
        if cell.cell_type == "raw" or "hide" in marks or "default_exp" in "".join(marks):
            continue
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, f"nbs/{path.name}", stage)
        else:
            show_code(cell, marks)
        if names := symbols.get(cell.id):
            names = " ".join(f"{{py:obj}}`llmft.{module}.{name}`" for name in names)
            text = f"(cell-{module}-{cell.id})=\n{{.exported}}\n{names}"
            shown.append(nbformat.v4.new_markdown_cell(text))
        shown.append(cell)
    notebook.cells = shown
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python3"}
    return notebook


def notebook_label(path):
    "For the list of chapters: the number and the first words of the title."
    title = re.match(r"#\s+(.+)", read_notebook(path, "markdown")[0].source)[1]
    return f"{path.stem[:2]} {re.split(r'[:,] ', title)[0]}"


def toctree(caption, entries):
    "A hidden list of pages."
    head = ["```{toctree}", ":hidden:"] + [f":caption: {caption}"] * bool(caption)
    return "\n".join([*head, "", *entries, "```"])


def contents():
    "The lists of pages that the side bar shows: the Japanese page, the chapters by parts, the reference."
    about = [f"{title} <{name[:-3]}>" for name, title in ABOUT.items()]
    listed = lambda digits: [
        f"{notebook_label(p)} <nbs/{p.stem}>" for p in PAGES if p.stem[0] in digits
    ]
    parts = [toctree(title, listed(digits)) for digits, title in PARTS.items()]
    reference = toctree("Reference", ["API <api/index>", *about[1:]])
    return "\n\n".join([toctree("", about[:1]), *parts, reference])


def api_index(modules):
    "The page that lists the modules."
    head = "# API\n\nEvery public symbol of the package.\n\n| module | holds | symbols |\n|---|---|---|\n"
    rows = [f"| [llmft.{n}]({n}.md) | {doc} | {len(s)} |\n" for n, (doc, s) in modules.items()]
    return head + "".join(rows) + "\n" + toctree("Modules", [f"llmft.{n} <{n}>" for n in modules])


def make_stage(stage):
    "Write the sources of all pages into a new folder; their number."
    for folder in ("nbs", "api", "data"):
        (stage / folder).mkdir(parents=True)
    write = lambda name, text: (stage / name).write_text(text, encoding="utf-8")
    modules = {p.stem[3:]: read_module(ROOT / "llmft" / f"{p.stem[3:]}.py") for p in PAGES}
    full = [f"llmft.{module}.{s.name}" for module, (_, symbols) in modules.items() for s in symbols]
    names = {name: name for name in full} | {name.removeprefix("llmft."): name for name in full}
    for path in PAGES:
        name, cells = path.stem[3:], {}
        for symbol in modules[name][1]:
            cells.setdefault(symbol.cell, []).append(symbol.name)
        nbformat.write(staged_notebook(path, cells, stage), stage / "nbs" / path.name)
        write(f"api/{name}.md", module_page(name, *modules[name], path.stem, names))
    write("api/index.md", api_index(modules))
    for name, target in FILES.items():
        text = linked(prose((ROOT / name).read_text(encoding="utf-8"), name, stage), names)
        write(target, text + (f"\n{contents()}\n" if target == "index.md" else ""))
    return 2 * len(PAGES) + 1 + len(FILES)
