"""Sizes, docstrings, use, words and papers: checks of tools/check.py, whose caps and words stand in [tool.llmft] of pyproject.toml."""

import ast
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from keyword import iskeyword
from pathlib import Path
from statistics import median

from common import LIMITS, PAGES, ROOT, defined_names, read_notebook, run, without_magics

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
# The same thing everywhere, so that no signature has to explain it again; CONTRIBUTING.md does.
KNOWN = {"self", "cls", "ctx", "model", "tokenizer", "accelerator", "ax"}
SHAPE = re.compile(
    r"\([^()]*,[^()]*\)|\([A-Z(…]|\bscalar|\bshape|\(\)|names? →|one number"
)  # (B, T), (n,), scalar, name → tensor


@dataclass(frozen=True)
class Cell:
    page: str  # 42_rl
    number: int  # among the code cells, from 1
    source: str
    tree: ast.Module
    exported: bool


@dataclass(frozen=True)
class Symbol:
    name: str
    cell: Cell
    node: ast.stmt  # the function, class or assignment

    def __str__(self):
        return f"{self.cell.page}: {self.name}"

    @property
    def fields(self):
        "Those of a dataclass; none of anything else."
        decorators = getattr(self.node, "decorator_list", [])
        is_dataclass = "dataclass" in " ".join(map(ast.unparse, decorators))
        return [n for n in self.node.body if isinstance(n, ast.AnnAssign)] if is_dataclass else []

    @property
    def functions(self):
        "(name, node) of a function, or of the public methods and `__init__` of a class."
        if isinstance(self.node, FUNCTION):
            return [(self.name, self.node)]
        methods = [n for n in getattr(self.node, "body", []) if isinstance(n, FUNCTION)]
        public = [n for n in methods if n.name == "__init__" or not n.name.startswith("_")]
        return [(f"{self.name}.{n.name}", n) for n in public]


@cache
def read_cells():
    "The code cells of all notebooks."
    found = [
        (path.stem, *pair) for path in PAGES for pair in enumerate(read_notebook(path, "code"), 1)
    ]
    exported = re.compile(r"^#\| *export", re.MULTILINE).search
    tree = lambda source: ast.parse(without_magics(source))
    return [Cell(p, n, c.source, tree(c.source), bool(exported(c.source))) for p, n, c in found]


@cache
def read_symbols():
    "What the notebooks export: functions, classes and constants."
    nodes = [(cell, node) for cell in read_cells() if cell.exported for node in cell.tree.body]
    found = [Symbol(name, cell, node) for cell, node in nodes for name in defined_names(node)]
    return [symbol for symbol in found if not symbol.name.startswith("_")]


def body_lines(node):
    "Lines of a function's body, without its docstring."
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return node.end_lineno - body[0].lineno + 1


def code_lines(source):
    "Lines of a cell, without directives and empty ones."
    return len([line for line in source.splitlines() if line.strip() and line[:2] != "#|"])


def prose(path):
    "The Markdown of a page."
    return "\n".join(cell.source for cell in read_notebook(path, "markdown"))


def exercises(path):
    "Bold headings like **2 (middle).** below the heading Exercises."
    return re.findall(r"^\*\*\d+ \(\w+\)", prose(path).partition("## Exercises")[2], re.MULTILINE)


def measures():
    "(what is counted, place → number, least, most)."
    cells, pages = read_cells(), [*PAGES, ROOT / "nbs" / "index.ipynb"]
    asserting = Counter(c.page for c in cells if re.search("assert|expect_fail", c.source))
    yield "asserting cells", {path.stem: asserting[path.stem] for path in PAGES}, 10, None
    yield "cells", {path.stem: len(read_notebook(path)) for path in PAGES}, None, 135
    yield "words", {path.stem: len(prose(path).split()) for path in PAGES}, None, 2200
    yield "KB", {path.stem: path.stat().st_size // 1000 for path in pages}, None, 500
    asked = Counter(path.stem[0] for path in PAGES for _ in exercises(path))
    yield "exercises", {f"chapter {k}": asked[str(k)] for k in range(1, 7)}, 3, None
    nodes = [(c.page, n) for c in cells if c.exported for n in ast.walk(c.tree)]
    bodies = {f"{p}: {n.name}": body_lines(n) for p, n in nodes if isinstance(n, FUNCTION)}
    yield "lines of a function's body", bodies, None, LIMITS["function_lines"]
    lines = {f"{c.page}, code cell {c.number}": code_lines(c.source) for c in cells}
    yield "lines of a code cell", lines, None, LIMITS["cell_lines"]


def check_sizes():
    "Functions, cells and notebooks keep the sizes of the style."
    faults = []
    for name, counts, least, most in measures():
        values = sorted(counts.values())
        usual = f"median {median(values):.0f}, 90 % {values[int(0.9 * len(values))]}"
        print(f"        {name}: {values[0]} to {values[-1]}, {usual}")
        wrong = [(at, n, f"at least {least}") for at, n in counts.items() if n < (least or 0)]
        wrong += [(at, n, f"at most {most}") for at, n in counts.items() if most and n > most]
        faults += [f"{at}: {n} {name}, {bound}" for at, n, bound in wrong]
    return faults


# docstrings


def parameters_of(node):
    "All parameters of a function."
    a = node.args
    return [p for p in (*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg) if p]


def escaping(node):
    "Names of the errors that a function raises and does not catch itself."
    tries = [n for n in ast.walk(node) if isinstance(n, ast.Try)]
    catches = lambda t: any("ValueError" in ast.unparse(h.type or h) for h in t.handlers)
    bodies = [statement for t in tries if catches(t) for statement in t.body]
    caught = {n for statement in bodies for n in ast.walk(statement)}
    raised = [n for n in ast.walk(node) if isinstance(n, ast.Raise) and n.exc]
    return {ast.unparse(n.exc).split("(")[0] for n in raised if n not in caught}


def doc_faults(name, node, symbol):
    """What a reader misses in a function or method: its sense, its parameters, shapes, errors.

    A method may say its sense in a comment behind its first line. A parameter that the docstring
    names, or whose name means the same everywhere (KNOWN), needs no comment.
    """
    lines, doc = symbol.cell.source.splitlines(), ast.get_docstring(node) or ""
    comment_at = lambda line: lines[line - 1].partition("# ")[2]
    head = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
    short = comment_at(node.lineno) or comment_at(node.body[0].lineno)
    if not doc and node.name != "__init__" and not ("." in name and short):
        yield "no docstring"
    for p in parameters_of(node):
        comment, kind = comment_at(p.lineno), ast.unparse(p.annotation) if p.annotation else ""
        if not (comment or kind or p.arg in KNOWN or re.search(rf"\b{p.arg}\b", doc)):
            yield f"{p.arg} has neither a type nor a comment"
        if "Tensor" in kind and not SHAPE.search(comment):
            yield f"{p.arg} is a tensor without a shape"
    returns = ast.unparse(node.returns) if node.returns else ""
    if "Tensor" in returns and not SHAPE.search(head.rpartition("\n)")[2] + doc):
        yield "returns a tensor without a shape"
    told = doc + head + (ast.get_docstring(symbol.node) or "") * (node.name == "__init__")
    for error in sorted(escaping(node) & {"ValueError", "KeyError", "TypeError"}):
        if error not in told:
            yield f"raises {error}, and does not say when"


def check_docs():
    "Exported functions, classes and methods say what they do, their shapes, and the errors that they raise."
    faults = []
    for symbol in read_symbols():
        if isinstance(symbol.node, ast.ClassDef) and not ast.get_docstring(symbol.node):
            faults.append(f"{symbol} has no docstring")
        for name, node in symbol.functions:
            if node.name not in LIMITS["called_by_libraries"]:
                page = symbol.cell.page
                faults += [f"{page}: {name}: {fault}" for fault in doc_faults(name, node, symbol)]
        if symbol.name.endswith("Config"):
            lines = symbol.cell.source.splitlines()
            bare = [f.target.id for f in symbol.fields if "# " not in lines[f.lineno - 1]]
            faults += [f"{symbol}.{name} has no comment" for name in bare]
    return faults


# use


def write_programs(folder):
    "Notebooks as programs for vulture, and the words of texts that name the package: (page, line) of what is exported."
    exported, words = set(), set()
    for path in PAGES:
        lines = []
        for cell in [cell for cell in read_cells() if cell.page == path.stem]:
            begin = len(lines) + 1
            lines += without_magics(cell.source).splitlines()
            exported |= {(path.stem, n) for n in range(begin, len(lines) + 1) if cell.exported}
            texts = [n.value for n in ast.walk(cell.tree) if isinstance(n, ast.Constant)]
            for text in filter(lambda text: "llmft." in str(text), texts):
                words |= {*re.findall(r"[A-Za-z_]\w*", str(text))}
        (folder / f"{path.stem}.py").write_text("\n".join(lines), encoding="utf-8")
    words = sorted(word for word in words if not iskeyword(word))
    (folder / "texts.py").write_text("\n".join(words), encoding="utf-8")
    return exported


def check_use():
    "Every export, method, parameter and setting is read by some cell (vulture)."
    with tempfile.TemporaryDirectory() as name:
        exported = write_programs(Path(name))
        words = (sys.executable, "-m", "vulture", "--config", ROOT / "pyproject.toml", ".")
        status, output, errors = run(*words, cwd=name)
    unused = r"^(\w+)\.py:(\d+): (unused (?!import|attribute).*) \("
    found = re.findall(unused, output, re.MULTILINE)
    faults = [f"{page}: {fault}" for page, line, fault in found if (page, int(line)) in exported]
    return faults if status in (0, 3) else [output + errors]  # 3: vulture found something


# words of the commands


def option_names(symbol):
    "The options of a command: parameters, with those that are dataclasses laid open."
    classes = {s.name: s.fields for s in read_symbols() if isinstance(s.node, ast.ClassDef)}
    for p in parameters_of(symbol.node):
        fields = classes.get(ast.unparse(p.annotation) if p.annotation else "")
        yield from [f.target.id for f in fields] if fields else [p.arg]


def check_words():
    "Commands, as `llmft.cli` lists them, call the same thing by the same word."
    better = {other: word for word, others in LIMITS["words"].items() for other in others}
    table = {f"llmft.{s.cell.page[3:]}:{s.name}": s for s in read_symbols()}
    commands = ast.literal_eval(table["llmft.cli:COMMANDS"].node.value)
    dashed = lambda word: f"--{word.replace('_', '-')}"
    return [
        f"llmft {command} {dashed(word)}: say {dashed(better[word])}"
        for command, (target, _) in commands.items()
        for word in option_names(table[target])
        if word in better
    ]


# papers


def check_papers():
    "PAPERS.md names exports that exist and that say their source, and every paper whose arXiv number a docstring names."
    listed = (ROOT / "PAPERS.md").read_text(encoding="utf-8")
    table = {(s.cell.page[3:], s.name): s for s in read_symbols()}
    modules, faults = {module for module, _ in table}, []
    docstring = lambda node: (hasattr(node, "body") and ast.get_docstring(node)) or ""
    for module, name in dict.fromkeys(re.findall(r"`(\w+)\.(\w+)[`.]", listed)):
        symbol = table.get((module, name))
        if module in modules and not symbol:
            faults.append(f"PAPERS.md names {module}.{name}, which is not there")
        elif symbol and not re.search(r"[Ss]ource|arXiv|\b(19|20)\d\d\b", docstring(symbol.node)):
            faults.append(f"{symbol} stands in PAPERS.md, but its docstring names no source")
    for symbol in table.values():
        text = "\n".join(map(docstring, [symbol.node, *(node for _, node in symbol.functions)]))
        papers = sorted({*re.findall(r"\b\d{4}\.\d{5}\b", text)})
        faults += [f"{symbol} names arXiv:{p}, not in PAPERS.md" for p in papers if p not in listed]
    return faults


CHECKS = (check_sizes, check_docs, check_use, check_words, check_papers)
