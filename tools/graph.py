"""Draw which module of llmft imports which, from the code: nbs/images/imports.svg. `--check` only compares.

A plain arrow is an import at the top of a module, a dashed one an import inside a function, or a command's `llmft.module:function`.
An arrow that follows from others is left out: sft imports chat, and chat imports core, so sft needs no arrow to core.
"""
import ast
import re
import sys
from math import fsum
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "nbs" / "images" / "imports.svg"
CHAPTERS = {"7": "Commands", "6": "Hosted", "5": "Evaluation", "4": "GRPO", "3": "QLoRA", "2": "LoRA", "1": "Pretraining", "0": "Ground floor"}
WIDTH, LEFT, BOX, TALL, ROW, GAP = 900, 128, 88, 26, 56, 13    # pixels; LEFT: of the names of the floors
COLOURS = {"7": "#6b7280", "6": "#b45309", "5": "#0e7490", "4": "#b91c1c", "3": "#7e22ce", "2": "#15803d", "1": "#1d4ed8", "0": "#6b7280"}
DARK = {"7": "#b6bcc6", "6": "#f0a94e", "5": "#4cc9e0", "4": "#ff8a80", "3": "#cf9bff", "2": "#6bd68b", "1": "#8ab4ff", "0": "#b6bcc6"}


def module_numbers():
    "Module → number of its notebook, as text."
    return {path.stem[3:]: path.stem[:2] for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))}


def find_imports(source, known):
    "(modules imported at the top, modules imported where they are used)."
    top, inside = set(), set()
    def visit(node, into):
        if isinstance(node, ast.ImportFrom) and (node.level == 1 or (node.module or "").split(".")[0] == "llmft"):
            module = (node.module or "").removeprefix("llmft").lstrip(".")
            into.update([module] if module else [alias.name for alias in node.names])
        if isinstance(node, ast.Import): into.update(a.name.removeprefix("llmft.") for a in node.names if a.name.startswith("llmft."))
        if isinstance(node, ast.Constant) and isinstance(node.value, str): inside.update(re.findall(r"^llmft\.(\w+):\w+$", node.value))
        for child in ast.iter_child_nodes(node): visit(child, inside if isinstance(node, (ast.FunctionDef, ast.Lambda)) else into)
    visit(ast.parse(source), top)
    return top & known, (inside - top) & known


def read_graph():
    "(importing module, imported module) → whether the import is at the top."
    known, edges = module_numbers(), {}
    for module in known:
        top, inside = find_imports((ROOT / "llmft" / f"{module}.py").read_text(encoding="utf-8"), known.keys())
        edges |= {(module, name): True for name in sorted(top)} | {(module, name): False for name in sorted(inside - {module})}
    return edges


def needed_arrows(edges):
    "The arrows that do not follow from others."
    below = {a: {y for x, y in edges if x == a} for a, _ in edges}
    def reach(module, seen):
        for name in below.get(module, ()):
            if name not in seen: seen.add(name), reach(name, seen)
        return seen
    return {(a, b): top for (a, b), top in edges.items() if not any(b in reach(other, set()) for other in below[a] - {b})}


def find_rows(edges):
    "Module → row from the top: chapters are floors, and on its floor a module stands above those that it imports."
    numbers = module_numbers()
    def height(module):
        return max((1 + height(b) for a, b in edges if a == module and numbers[b][0] == numbers[a][0]), default=0)
    heights, rows, first = {m: height(m) for m in numbers}, {}, 0
    for digit in CHAPTERS:
        floor = [m for m in numbers if numbers[m][0] == digit]
        tall = max((heights[m] for m in floor), default=-1) + 1
        rows |= {m: first + tall - 1 - heights[m] for m in floor}
        first += tall
    return rows


def place_row(wanted, halves):
    "Places in a row, in this order, as near to the wanted ones as the widths allow: pooled means of those that would overlap."
    offsets, pools = [0.0], []
    for a, b in zip(halves, halves[1:]): offsets.append(offsets[-1] + a + b + GAP)
    for place, offset in zip(wanted, offsets):
        pools.append([place - offset, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, n = pools.pop()
            pools[-1] = [(pools[-1][0] * pools[-1][1] + mean * n) / (pools[-1][1] + n), pools[-1][1] + n]
    bases = [mean for mean, n in pools for _ in range(n)]
    low, high = LEFT + halves[0], WIDTH - 12 - halves[-1] - offsets[-1]
    return [min(max(base, low), max(low, high)) + offset for base, offset in zip(bases, offsets)]


def bends(arrow, rows):
    "The points of an arrow, one in each row: its two modules, and places to pass between the boxes."
    a, b = arrow
    return [a, *((a, b, row) for row in range(rows[a] + 1, rows[b])), b]


def find_places(arrows, rows):
    "Points → places from left to right, so that neighbours stand near each other."
    lines = [bends(arrow, rows) for arrow in arrows]
    near = {}
    for line in lines:
        for a, b in zip(line, line[1:]): near.setdefault(a, []).append(b), near.setdefault(b, []).append(a)
    points = sorted({*rows, *near}, key=str)
    row_of = {p: rows[p] if isinstance(p, str) else p[2] for p in points}
    numbers = module_numbers()
    place = {p: LEFT + (WIDTH - LEFT) * (0.1 + 0.8 * (int(numbers[p if isinstance(p, str) else p[1]][1]) % 8) / 7) for p in points}
    for turn in range(80):
        order = sorted(set(row_of.values()), reverse=turn % 2 == 1)
        for row in order:
            here = [p for p in points if row_of[p] == row]
            seen = lambda p: [place[q] for q in near.get(p, []) if turn > 50 or (row_of[q] < row) == (turn % 2 == 0)] or [place[p]]
            goal = {p: fsum(seen(p)) / len(seen(p)) for p in here}      # sum() rounds differently from Python 3.12 on
            here.sort(key=lambda p: (goal[p], str(p)) if turn <= 50 else (place[p], str(p)))
            found = place_row([goal[p] for p in here], [BOX / 2 if isinstance(p, str) else 0 for p in here])
            place |= dict(zip(here, found))
    low, high = min(place.values()), max(place.values())
    left, right = LEFT + BOX / 2, WIDTH - 16 - BOX / 2
    return {p: left + (x - low) * (right - left) / (high - low) for p, x in place.items()}     # as wide as the picture


def ports(arrows, rows, place):
    "Arrow → (place where it leaves, place where it arrives), spread along the boxes."
    lines = {arrow: bends(arrow, rows) for arrow in arrows}
    found = {arrow: [0.0, 0.0] for arrow in arrows}
    for end, next_to in ((0, 1), (1, -2)):
        for module in {arrow[end] for arrow in arrows}:
            mine = sorted((arrow for arrow in arrows if arrow[end] == module), key=lambda arrow: (place[lines[arrow][next_to]], arrow))
            step = min(14, (BOX - 20) / max(1, len(mine) - 1))
            for k, arrow in enumerate(mine): found[arrow][end] = place[module] + step * (k - (len(mine) - 1) / 2)
    return found


def draw_arrow(arrow, top, rows, place, port):
    "One arrow as SVG: straight beside boxes, bent between the rows."
    y = lambda row: 14 + row * ROW
    line = bends(arrow, rows)
    xs = [port[0], *(place[p] for p in line[1:-1]), port[1]]
    path = f"M{xs[0]:.1f} {y(rows[arrow[0]]) + TALL}"
    for k, x in enumerate(xs[1:], 1):
        begin, end = y(rows[arrow[0]] + k - 1) + TALL, y(rows[arrow[0]] + k) - (5 if k == len(xs) - 1 else 0)
        path += f"C{xs[k - 1]:.1f} {(begin + end) / 2:.1f} {x:.1f} {(begin + end) / 2:.1f} {x:.1f} {end}"
        if k < len(xs) - 1: path += f"V{end + TALL}"
    digit = module_numbers()[arrow[0]][0]
    dashes = "" if top else ' stroke-dasharray="4 3"'
    return f'<path class="c{digit}" d="{path}"{dashes} marker-end="url(#a{digit})"><title>{arrow[0]} imports {arrow[1]}</title></path>'


def style_sheet():
    "Colours for light and dark."
    def rules(colours, paper, floor, box, ink):
        kinds = "".join(f".c{d}{{stroke:{c}}}.f{d}{{fill:{c}}}" for d, c in colours.items())
        return f".paper{{fill:{paper}}}.floor{{fill:{floor}}}.box{{fill:{box}}}text{{fill:{ink}}}{kinds}"
    dark = rules(DARK, "#15181d", "#1f242c", "#2a313b", "#e8eaed")
    return ("<style>text{font:14px system-ui,sans-serif}.small{font-size:12px}path{fill:none;stroke-width:1.5}.box{stroke-width:1.5}marker path{stroke:none}"
            + rules(COLOURS, "#ffffff", "#f3f4f6", "#ffffff", "#1f2328") + "@media (prefers-color-scheme:dark){" + dark + "}</style>")


def draw():
    "The picture, as text."
    edges, numbers = read_graph(), module_numbers()
    arrows, rows = needed_arrows(edges), find_rows(edges)
    place = find_places(sorted(arrows), rows)
    where = ports(sorted(arrows), rows, place)
    tall = (max(rows.values()) + 1) * ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall + 34}" role="img" aria-labelledby="t"><title id="t">'
             f'Imports between the modules of llmft: every arrow points down</title>{style_sheet()}<defs>']
    parts += [f'<marker id="a{d}" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" viewBox="0 0 10 10" refX="5" refY="5" orient="auto">'
              f'<path class="f{d}" style="fill-opacity:1" d="M0 1L10 5L0 9z"/></marker>' for d in CHAPTERS]
    parts.append(f'</defs><rect class="paper" width="{WIDTH}" height="{tall + 34}"/>')
    for digit, name in CHAPTERS.items():
        floor = [rows[m] for m in numbers if numbers[m][0] == digit]
        if not floor: continue
        parts.append(f'<rect class="floor" x="4" y="{4 + min(floor) * ROW}" width="{WIDTH - 8}" height="{(max(floor) - min(floor) + 1) * ROW - 8}" rx="6"/>'
                     f'<text x="14" y="{32 + min(floor) * ROW}">{digit if digit not in "07" else ""} {name}</text>')
    parts += [draw_arrow(arrow, top, rows, place, where[arrow]) for arrow, top in sorted(arrows.items())]
    for module, row in rows.items():
        x, y = place[module], 14 + row * ROW
        parts.append(f'<rect class="box c{numbers[module][0]}" x="{x - BOX / 2:.1f}" y="{y}" width="{BOX}" height="{TALL}" rx="5"/>'
                     f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle">{module}</text>')
    parts.append(f'<text class="small" x="14" y="{tall + 20}">An arrow leads from a module to one that it imports; dashed: only inside a function. '
                 f'{len(arrows)} of {len(edges)} imports are drawn: the others follow from these.</text></svg>')
    return "\n".join(parts) + "\n"


def map_faults():
    "Modules that the map in CONTRIBUTING.md lacks or has too many."
    rows = re.findall(r"^\| (\d\d)(?:–(\d\d))? \| ([\w, ]+) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(name.strip(), low, high or low) for low, high, names in rows for name in names.split(",")}
    there = {(name, low, high) for name, low, high in listed if low <= module_numbers().get(name, "") <= high}
    return ([f"CONTRIBUTING.md: the map names {name} at {low}–{high}, where it is not" for name, low, high in sorted(listed - there)]
            + [f"CONTRIBUTING.md: the map lacks {number} {name}" for name, number in module_numbers().items() if name not in {n for n, _, _ in there}])


def faults():
    "Imports that go up, a picture that is not what the code gives, and a map without a module."
    numbers = module_numbers()
    up = [f"llmft.{a} imports llmft.{b}, which is not below it" for a, b in read_graph() if numbers[a] <= numbers[b]]
    if up or (TARGET.exists() and TARGET.read_text(encoding="utf-8") == draw()): return up + map_faults()
    return [f"{TARGET.relative_to(ROOT)} is not what the code gives; run make readme"]


if __name__ == "__main__":
    if "--check" not in sys.argv: TARGET.write_text(draw(), encoding="utf-8")
    if said := faults(): sys.exit("\n".join(said))
