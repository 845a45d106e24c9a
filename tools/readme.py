"""Write the README from nbs/index.ipynb: prose, shown code, printed output, tables and pictures. `--check` only compares.

A cell that says `#| hide` is left out, and of one that says `#| echo: false` only the output is shown. Between the comments
`<!-- name -->` and `<!-- /name -->` README.ja.md receives the output of the cell that says `#| label: name`.
"""

import base64
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
IMAGES = Path("nbs") / "images"


def marks(cell):
    "What the `#|` lines of a cell say."
    return re.findall(r"^#\|\s*(.+?)\s*$", cell.source, flags=re.MULTILINE)


def label(cell):
    "The name of a cell."
    return next(
        (mark.removeprefix("label:").strip() for mark in marks(cell) if mark.startswith("label:")),
        "",
    )


def to_root(text):
    "Links between notebooks, and out of their folder, as seen from the README."
    return re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](nbs/\1.ipynb)", text).replace("](../", "](")


def shown_output(cell):
    "What a code cell printed, as a block; its tables as they are; its picture as a link."
    printed = "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream").rstrip()
    parts = [f"```text\n{printed}\n```"] if printed else []
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/markdown" in data:
            parts.append(to_root(data["text/markdown"]))
        elif "image/png" in data:
            parts.append(f"![{label(cell)}]({(IMAGES / label(cell)).as_posix()}.png)")
    return "\n\n".join(parts)


def shown_cell(cell):
    "A cell as Markdown."
    source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip()
    if cell.cell_type == "markdown":
        return to_root(source)
    code = "" if {"hide", "echo: false"} & {*marks(cell)} else f"```python\n{source}\n```"
    return "\n\n".join(part for part in (code, shown_output(cell)) if part)


def filled(text, blocks):
    "A text with what stands between its marked comments replaced. Raises `ValueError` for a name that no cell has."

    def put(match):
        if match[1] not in blocks:
            raise ValueError(
                f"no cell of nbs/index.ipynb says #| label: {match[1]}; the labels are {', '.join(blocks)}"
            )
        return f"<!-- {match[1]} -->\n{blocks[match[1]]}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- /\1 -->", put, text, flags=re.DOTALL)


def files():
    "Path → contents of everything that is made from the notebook."
    cells = [
        cell
        for cell in nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4).cells
        if cell.source.strip()
    ]
    code = [cell for cell in cells if cell.cell_type == "code"]
    english = [shown_cell(cell) for cell in cells if "hide" not in marks(cell)]
    japanese = ROOT / "README.ja.md"
    made = {
        ROOT / "README.md": "\n\n".join(filter(None, english)) + "\n",
        japanese: filled(
            japanese.read_text(encoding="utf-8"),
            {label(cell): shown_cell(cell) for cell in code if label(cell)},
        ),
    }
    made = {path: text.encode("utf-8") for path, text in made.items()}
    for cell in code:
        for output in cell.outputs:
            png = output.get("data", {}).get("image/png")
            if png and label(cell):
                made[ROOT / IMAGES / f"{label(cell)}.png"] = base64.b64decode(png)
    return made


if __name__ == "__main__":
    made = files()
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, data in made.items()
        if not path.exists() or path.read_bytes() != data
    ]
    if "--check" in sys.argv:
        sys.exit(
            f"{', '.join(stale)}: not what nbs/index.ipynb gives; run make readme" if stale else 0
        )
    for path, data in made.items():
        path.write_bytes(data)
