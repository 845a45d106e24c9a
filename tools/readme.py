"""What is made from the notebooks: the READMEs, PARITY.md and SPREAD.md. `make readme` writes them.

README.md takes prose, shown code, printed output, tables and pictures of nbs/index.ipynb. A cell that
says `#| hide` is left out, and of one that says `#| echo: false` only the output is shown. Between
the comments `<!-- name -->` and `<!-- /name -->` README.ja.md receives the output of the cell that
says `#| label: name`.
"""

import base64
import re
import sys

import parity
from common import ROOT, read_notebook

from llmft.spread import spread_table


def marks(cell):
    "What the `#|` lines of a cell say."
    return re.findall(r"^#\|\s*(.+?)\s*$", cell.source, flags=re.MULTILINE)


def label(cell):
    "The name of a cell."
    return next((m[6:].strip() for m in marks(cell) if m.startswith("label:")), "")


def to_root(text):
    "Links between notebooks, and out of their folder, as seen from the README."
    return re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](nbs/\1.ipynb)", text).replace("](../", "](")


def picture(data):
    "The kind of picture in an output; none for another output."
    return next((kind for kind in ("image/png", "image/svg+xml") if kind in data), "")


def shown_output(cell):
    "What a code cell printed, as a block; its tables as they are; its picture as a link."
    printed = "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream").rstrip()
    parts = [f"```text\n{printed}\n```"] if printed else []
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/markdown" in data:
            parts.append(to_root(data["text/markdown"]))
        elif kind := picture(data):
            parts.append(f"![{label(cell)}](nbs/images/{label(cell)}.{kind[6:9]})")
    return "\n\n".join(parts)


def shown_cell(cell):
    "A cell as Markdown."
    source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip()
    if cell.cell_type == "markdown":
        return to_root(source)
    code = "" if {"hide", "echo: false"} & {*marks(cell)} else f"```python\n{source}\n```"
    return "\n\n".join(part for part in (code, shown_output(cell)) if part)


def filled(text, blocks):
    "A text with what stands between its marked comments replaced."

    def put(match):
        if match[1] not in blocks:
            sys.exit(f"README.ja.md: no cell of nbs/index.ipynb says #| label: {match[1]}")
        return f"<!-- {match[1]} -->\n{blocks[match[1]]}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- ([\w-]+) -->\n.*?<!-- /\1 -->", put, text, flags=re.DOTALL)


def made():
    "Path → contents of everything that is made from nbs/index.ipynb."
    cells = [c for c in read_notebook(ROOT / "nbs" / "index.ipynb") if c.source.strip()]
    labelled = {label(cell): cell for cell in cells if cell.cell_type == "code" and label(cell)}
    english = [shown_cell(cell) for cell in cells if "hide" not in marks(cell)]
    japanese = (ROOT / "README.ja.md").read_text(encoding="utf-8")
    blocks = {name: shown_cell(cell) for name, cell in labelled.items()}
    files = {
        ROOT / "README.md": ("\n\n".join(filter(None, english)) + "\n").encode("utf-8"),
        ROOT / "README.ja.md": filled(japanese, blocks).encode("utf-8"),
    }
    for name, cell in labelled.items():
        for output in cell.outputs:
            if kind := picture(data := output.get("data", {})):
                raw = data[kind].encode("utf-8")
                path = ROOT / "nbs" / "images" / f"{name}.{kind[6:9]}"
                files[path] = base64.b64decode(raw) if kind == "image/png" else raw
    return files


if __name__ == "__main__":
    spread = {ROOT / "SPREAD.md": spread_table(ROOT)[0].encode("utf-8")}
    for path, data in (made() | parity.made(parity.parity_rows()) | spread).items():
        path.write_bytes(data)
