"""PARITY.md, from the outputs kept in the notebooks: each piece beside the library that it equals. `make readme` writes it."""

import json
import re
import sys

from common import PAGES, ROOT, canonical, read_notebook, read_pins

LINE = re.compile(r"^parity: (\S+) = (.+), largest difference (\S+), at most (\S+)$", re.MULTILINE)
TEXT = """\
# Equal to the libraries

What this book builds by hand, beside the library that people use. Each row is printed by a test in a notebook, and
`make test` measures it anew. **Largest difference** is the one on the machine that executed the notebooks, over all cases
of the row; 0 means equal to the last bit, or the same text. **At most** is the limit: beyond it the test fails.
Versions are those of `constraints.txt`. Rows that say llmft compare two ways through this book. `make readme` writes this page.

| ours | library | compared with | largest difference | at most |
|---|---|---|---|---|
"""


def parity_rows():
    "(piece, library) → notebook, largest difference and tolerance, as the notebooks print them."
    rows = {}
    for path in PAGES:
        outputs = [o for cell in read_notebook(path, "code") for o in cell.outputs]
        text = "".join(o.text for o in outputs if o.output_type == "stream")
        for piece, library, difference, most in LINE.findall(text):
            name, most = f"{piece} = {library}", float(most)
            row = dict(notebook=path.stem, difference=0.0, tolerance=most)
            row = rows.setdefault((piece, library), row)
            row["difference"] = max(row["difference"], float(difference))
            if row["tolerance"] != most:
                sys.exit(f"{path.name}: {name} has two tolerances; name what is compared apart")
            check_piece(path, piece)
    return rows


def check_piece(path, piece):
    "Stop unless a piece is defined in the notebook of its module."
    module, name = piece.split(".", 1)
    cells = [cell for p in PAGES if p.stem[3:] == module for cell in read_notebook(p, "code")]
    source = "\n".join(cell.source for cell in cells)
    if not re.search(rf"^((def|class) {name}\b|{name} = )", source, re.MULTILINE):
        sys.exit(f"{path.name}: {piece} is in no notebook of that name; say module.symbol")


def version_of(package):
    "The tested version of a package."
    if package == "llmft":
        return "(this book)"
    if canonical(package) not in read_pins():
        sys.exit(f"expected a package of constraints.txt as the first word, got {package!r}")
    return read_pins()[canonical(package)][1]


def made(rows):
    "PARITY.md → its contents."
    page = TEXT
    for (piece, library), row in rows.items():
        package, _, rest = library.partition(" ")
        link = f"[`{piece}`](nbs/{row['notebook']}.ipynb)"
        figures = f"{row['difference']:.2g} | {row['tolerance']:g}"
        page += f"| {link} | {package} {version_of(package)} | {rest} | {figures} |\n"
    return {ROOT / "PARITY.md": page.encode("utf-8")}


def record_faults(rows, recorded):
    "What the records that `assert_equal_to` wrote while the tests ran lack, exceed, or have beyond the table."
    text = recorded.read_text(encoding="utf-8") if recorded.exists() else ""
    records, name = [json.loads(line) for line in text.splitlines()], "{0[0]} = {0[1]}".format
    measured = {(record["piece"], record["library"]) for record in records}
    faults = [f"{name(row)} was not measured" for row in rows if row not in measured]
    faults += [f"{name(row)} is new; run make readme" for row in sorted(measured - {*rows})]
    for record in records:
        key = (record["piece"], record["library"])
        row, far, most = rows.get(key), record["difference"], record["tolerance"]
        if row and not far <= row["tolerance"] == most:
            of = f"of at most {most:g}; the table says at most {row['tolerance']:g}"
            faults.append(f"{name(key)}: difference {far:g} {of}")
    return faults
