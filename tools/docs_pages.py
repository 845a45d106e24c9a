"""The sources of the site: notebooks without their hidden cells, the Markdown files of the repository, and pages of the API."""

import ast
import re
import shutil
from pathlib import Path

import nbformat
from docs_api import linked, module_page, read_module

from llmft.book import formulas_to_mathml

ROOT = Path(__file__).parent.parent
PARTS = {
    "1": "1 Pretraining 事前学習",
    "2": "2 LoRA",
    "3": "3 QLoRA",
    "4": "4 GRPO",
    "5": "5 Evaluation 評価",
    "6": "6 Hosted fine-tuning",
    "7": "Commands コマンド",
    "89": "Workshop 道具",
}
ABOUT = {
    "README.ja.md": "日本語の説明",
    "CONTRIBUTING.md": "Contributing",
    "PAPERS.md": "Papers 論文",
    "PARITY.md": "Equal to the libraries 一致の表",
    "data/README.md": "Data",
    "CHANGELOG.md": "Changelog",
}
PAGES = {"README.md": "index.md", **{name: name for name in ABOUT}}  # file of the repository → page
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def outside_code(text: str, change) -> str:
    "Markdown with `change` done to all but code spans and code blocks."
    parts = CODE.split(text)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def place(text: str, page: str, stage: Path) -> str:  # Markdown
    """Links of a page to files of the repository: to their pages where they have one, else to a copy.

    Raises `ValueError` for a link to nothing.
    """
    up = "../" * page.count("/")

    def replaced(m):
        target, _, anchor = m[2].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return m[0]
        file = (ROOT / page).parent.joinpath(target).resolve()
        if file.is_dir():
            file = file / "README.md"
        if not file.is_file():
            raise ValueError(f"{page}: a link to {m[2]}, which does not exist; mend the link")
        name = file.relative_to(ROOT).as_posix().replace("nbs/index.ipynb", "README.md")
        if name not in PAGES and not name.endswith(".ipynb"):
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, stage / name)
        return f"{m[1]}{up}{PAGES.get(name, name)}{'#' + anchor if anchor else ''}{m[3]}"

    return outside_code(
        text, lambda t: re.sub(r'(\]\(|(?:href|src)=")([^)"\s]+)([)"])', replaced, t)
    )


def details_html(text: str) -> str:
    "Formulas and code spans inside <details>, which Markdown leaves alone, as HTML; an empty line would end the block."

    def inside(m):
        parts = re.split(r"(<pre>.*?</pre>)", m[0], flags=re.DOTALL)
        parts[::2] = [
            re.sub(r"`([^`\n]+)`", r"<code>\1</code>", formulas_to_mathml(p)) for p in parts[::2]
        ]
        return re.sub(r"\n(?=\n)", "\n<!-- -->", "".join(parts))

    return re.sub(r"<details>.*?</details>", inside, text, flags=re.DOTALL)


def prose(text: str, page: str, stage: Path) -> str:  # Markdown
    "Prose as MyST reads it: no comment for a line that begins with %, numbers of papers as links."
    text = details_html(place(text, page, stage))
    text = outside_code(text, lambda t: re.sub(r"^%", r"\\%", t, flags=re.MULTILINE))
    linked_paper = lambda m: f"[{m[1]}](https://arxiv.org/abs/{m[2]})" if m[1] else m[0]
    return outside_code(
        text,
        lambda t: re.sub(
            r"\[[^\]]*\]\([^)]*\)|(?<![\w/])(arXiv:(\d{4}\.\d{4,5}))", linked_paper, t
        ),
    )


def only_imports(source: str) -> bool:
    "Whether a cell does nothing but import."
    return all(
        isinstance(node, (ast.Import, ast.ImportFrom))
        for node in ast.parse(re.sub(r"^[%!].*", "pass", source, flags=re.MULTILINE)).body
    )


def staged_notebook(path: Path, symbols: dict, stage: Path):  # notebook
    "A notebook as it is shown; `symbols` maps ids of cells to names of what they export."
    notebook = nbformat.read(path, as_version=4)
    shown, module = [], path.stem[3:]
    for cell in notebook.cells:
        marks = [line[2:].strip() for line in cell.source.splitlines() if line.startswith("#|")]
        if (
            cell.cell_type == "raw"
            or "hide" in marks
            or any(m.startswith("default_exp") for m in marks)
        ):
            continue
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, f"nbs/{path.name}", stage)
        else:
            cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip("\n")
            if {"slow", "gpu", "net", "eval: false"} & set(marks):
                cell.metadata["tags"] = ["not-run"]
            if only_imports(cell.source):
                cell.metadata.update(
                    tags=["hide-input"],
                    mystnb={"code_prompt_show": "Imports", "code_prompt_hide": "Imports"},
                )
            if cell.id in symbols:
                names = " ".join(f"{{py:obj}}`llmft.{module}.{name}`" for name in symbols[cell.id])
                shown.append(
                    nbformat.v4.new_markdown_cell(
                        f"(cell-{module}-{cell.id})=\n{{.exported}}\n{names}"
                    )
                )
        shown.append(cell)
    notebook.cells = shown
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python3"}
    return notebook


def notebook_label(path: Path) -> str:
    "For the list of chapters: the number and the first words of the title."
    title = re.match(
        r"#\s+(.+)",
        next(
            c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown"
        ),
    )[1]
    return f"{path.stem[:2]} {re.split(r'[:,] ', title)[0]}"


def toctree(caption: str, entries: list) -> str:
    "A hidden list of pages."
    return "\n".join(
        [
            "```{toctree}",
            ":hidden:",
            *([f":caption: {caption}"] if caption else []),
            "",
            *entries,
            "```",
        ]
    )


def contents(notebooks: list) -> str:
    "The lists of pages that the side bar shows: the Japanese page, the chapters by parts, the reference."
    about = [f"{title} <{name[:-3]}>" for name, title in ABOUT.items()]
    parts = [
        toctree(
            title, [f"{notebook_label(p)} <nbs/{p.stem}>" for p in notebooks if p.stem[0] in digit]
        )
        for digit, title in PARTS.items()
    ]
    return "\n\n".join(
        [toctree("", about[:1]), *parts, toctree("Reference", ["API <api/index>", *about[1:]])]
    )


def api_index(modules: dict) -> str:
    "The page that lists the modules."
    rows = [
        f"| [llmft.{name}]({name}.md) | {doc} | {len(symbols)} |"
        for name, (doc, symbols) in modules.items()
    ]
    lines = [
        "# API",
        "",
        "Every public symbol of the package.",
        "",
        "| module | holds | symbols |",
        "|---|---|---|",
        *rows,
    ]
    return (
        "\n".join(lines)
        + "\n\n"
        + toctree("Modules", [f"llmft.{name} <{name}>" for name in modules])
        + "\n"
    )


def make_stage(stage: Path) -> int:  # number of pages
    "Write the sources of all pages into an empty folder."
    for folder in ("nbs", "api", "data"):
        (stage / folder).mkdir()
    write = lambda name, text: (stage / name).write_text(text, encoding="utf-8")
    notebooks = sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
    modules = {
        path.stem[3:]: read_module(ROOT / "llmft" / f"{path.stem[3:]}.py") for path in notebooks
    }
    names = {
        f"{prefix}{module}.{s.name}": f"llmft.{module}.{s.name}"
        for module, (_, symbols) in modules.items()
        for s in symbols
        for prefix in ("", "llmft.")
    }
    for path in notebooks:
        name, cells = path.stem[3:], {}
        for symbol in modules[name][1]:
            cells.setdefault(symbol.cell, []).append(symbol.name)
        nbformat.write(staged_notebook(path, cells, stage), stage / "nbs" / path.name)
        write(f"api/{name}.md", module_page(name, *modules[name], path.stem, names))
    write("api/index.md", api_index(modules))
    for name, target in PAGES.items():
        text = linked(prose((ROOT / name).read_text(encoding="utf-8"), name, stage), names)
        write(target, text + ("\n" + contents(notebooks) + "\n" if target == "index.md" else ""))
    return 2 * len(notebooks) + 1 + len(PAGES)
