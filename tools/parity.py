"""Write PARITY.md from the outputs kept in the notebooks: each piece beside the library that it equals.

`--check` compares; `--check FILE` also asks that the records in FILE, which `assert_equal_to` writes while the tests
run (LLMFT_PARITY), have every row of the table, within its tolerance, and no other.
"""

import json
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
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


def parity_rows() -> dict:
    "(piece, library) → notebook, largest difference and tolerance, as the notebooks print them."
    rows = {}
    for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb")):
        cells = [
            cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
        ]
        outputs = [o.text for cell in cells for o in cell.outputs if o.output_type == "stream"]
        for piece, library, difference, tolerance in LINE.findall("".join(outputs)):
            row = rows.setdefault(
                (piece, library),
                dict(notebook=path.stem, difference=0.0, tolerance=float(tolerance)),
            )
            row["difference"] = max(row["difference"], float(difference))
            if row["tolerance"] != float(tolerance):
                sys.exit(
                    f"{path.name}: {piece} = {library} has two tolerances; name what is compared apart"
                )
            check_piece(path, piece)
    return rows


def check_piece(path, piece) -> None:
    "Stop unless a piece is defined in the notebook of its module."
    module, name = piece.split(".", 1)
    home = [p for p in path.parent.glob("[0-9]*.ipynb") if p.stem[3:] == module]
    source = (
        "\n".join(cell.source for cell in nbformat.read(home[0], as_version=4).cells)
        if home
        else ""
    )
    if not re.search(rf"^((def|class) {name}\b|{name} = )", source, re.MULTILINE):
        sys.exit(
            f"{path.name}: {piece} is not defined in a notebook of that module; name the piece as module.symbol"
        )


def version_of(package) -> str:
    "The tested version of a package."
    if package == "llmft":
        return "(this book)"
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    )
    plain = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    if (name := re.sub(r"[-_.]+", "-", package).lower()) not in plain:
        sys.exit(
            f"expected a package of constraints.txt as the first word of the library, got {package!r}"
        )
    return plain[name]


def parity_page(rows) -> str:
    "The page."
    lines = []
    for (piece, library), row in rows.items():
        package, _, rest = library.partition(" ")
        lines.append(
            f"| [`{piece}`](nbs/{row['notebook']}.ipynb) | {package} {version_of(package)} | {rest} | {row['difference']:.2g} "
            f"| {row['tolerance']:g} |\n"
        )
    return TEXT + "".join(lines)


def record_faults(rows, recorded) -> list:
    "What the records of a run of the tests lack, exceed, or have beyond the table."
    records = (
        [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()]
        if recorded.exists()
        else []
    )
    measured = {(record["piece"], record["library"]) for record in records}
    faults = [
        f"{piece} = {library} was not measured"
        for piece, library in rows
        if (piece, library) not in measured
    ]
    faults += [
        f"{piece} = {library} is not in the table; execute its notebook and run make readme"
        for piece, library in sorted(measured - {*rows})
    ]
    for record in records:
        row, name = (
            rows.get((record["piece"], record["library"])),
            f"{record['piece']} = {record['library']}",
        )
        if row and not record["difference"] <= row["tolerance"] == record["tolerance"]:
            faults.append(
                f"{name}: difference {record['difference']:g} of at most {record['tolerance']:g}; the table says at most {row['tolerance']:g}"
            )
    return faults


if __name__ == "__main__":
    target, rows = ROOT / "PARITY.md", parity_rows()
    if "--check" not in sys.argv:
        target.write_text(parity_page(rows), encoding="utf-8")
    else:
        page = target.read_text(encoding="utf-8") if target.exists() else ""
        faults = ["PARITY.md is not what the notebooks give; run make readme"] * (
            page != parity_page(rows)
        )
        for name in sys.argv[2:]:
            faults += record_faults(rows, Path(name))
        if faults:
            sys.exit("\n".join(faults))
