"""The style of the book, measured: sizes, docstrings, and what nothing uses. `tools/check.py` calls the checks."""

import ast
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
# What a measure may be at most: median, 90th percentile, largest. They stand just above where the book is, and may only fall.
CAPS = {"function body": (8, 21, 70), "code cell": (13, 34, 127)}
# The same thing everywhere, so that no signature has to explain it again; CONTRIBUTING.md does.
KNOWN = {"self", "cls", "ctx", "model", "tokenizer", "accelerator", "ax"}
# Methods that a class of torch, threading or Starlette calls: what they do stands there.
PROTOCOL = {
    "forward",
    "backward",
    "step",
    "run",
    "state_dict",
    "get_parameter",
    "get_extra_state",
    "set_extra_state",
    "extra_repr",
}
# Words that no command says, and the one that it says instead.
SYNONYMS = {
    "output": "out",
    "output_dir": "out",
    "output_path": "out",
    "out_dir": "out",
    "save_dir": "out",
    "model_path": "model",
    "model_name": "model",
    "checkpoint": "model",
    "data_path": "data",
    "input": "data",
    "input_path": "data",
    "corpus": "data",
    "train_file": "data",
    "random_seed": "seed",
    "n_steps": "steps",
    "num_steps": "steps",
    "max_steps": "steps",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "learning_rate": "lr",
    "n_new": "max_new_tokens",
    "n_new_tokens": "max_new_tokens",
    "max_tokens_new": "max_new_tokens",
    "lora_r": "rank",
    "lora_rank": "rank",
    "lora_alpha": "alpha",
    "bs": "batch_size",
    "gradient_accumulation_steps": "accumulate",
    "grad_accum": "accumulate",
    "companies": "n_companies",
    "passages": "n_passages",
    "valid": "eval_data",
    "valid_data": "eval_data",
    "max_questions": "limit",
    "max_samples": "limit",
}


@dataclass(frozen=True)
class Cell:
    page: str  # 42_rl
    number: int  # among the code cells, from 1
    source: str
    tree: ast.Module
    exported: bool

    @property
    def module(self):
        return self.page[3:]


@dataclass(frozen=True)
class Symbol:
    name: str
    cell: Cell
    node: ast.stmt  # the function, class or assignment

    def __str__(self):
        return f"{self.cell.page}: {self.name}"


def read_sources(path, kind):
    "The sources of the cells of a notebook: of code or of markdown."
    return [
        "".join(c["source"])
        for c in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if c["cell_type"] == kind
    ]


@cache
def read_cells():
    "The code cells of all notebooks."
    cells = []
    for path in PAGES:
        for number, source in enumerate(read_sources(path, "code"), 1):
            tree = ast.parse(re.sub(r"^[%!].*", "", source, flags=re.MULTILINE))
            cells.append(
                Cell(
                    path.stem,
                    number,
                    source,
                    tree,
                    re.search(r"^#\| *export", source, re.MULTILINE) is not None,
                )
            )
    return cells


@cache
def read_symbols():
    "What the notebooks export: functions, classes and constants."
    found = []
    for cell in read_cells():
        for node in cell.tree.body if cell.exported else []:
            if isinstance(node, (*FUNCTION, ast.ClassDef)):
                found.append(Symbol(node.name, cell, node))
            if isinstance(node, ast.Assign):
                found += [
                    Symbol(n.id, cell, node)
                    for target in node.targets
                    for n in ast.walk(target)
                    if isinstance(n, ast.Name)
                ]
    return [symbol for symbol in found if not symbol.name.startswith("_")]


def functions_of(symbol):
    "(name, node) of a function, or of the public methods and `__init__` of a class."
    if isinstance(symbol.node, FUNCTION):
        return [(symbol.name, symbol.node)]
    return [
        (f"{symbol.name}.{n.name}", n)
        for n in getattr(symbol.node, "body", [])
        if isinstance(n, FUNCTION) and (n.name == "__init__" or not n.name.startswith("_"))
    ]


def is_dataclass(symbol):
    "Whether a symbol is a dataclass."
    return isinstance(symbol.node, ast.ClassDef) and any(
        "dataclass" in ast.unparse(d) for d in symbol.node.decorator_list
    )


def fields_of(symbol):
    "The annotated names in the body of a class."
    return [node for node in symbol.node.body if isinstance(node, ast.AnnAssign)]


# sizes


def body_lines(node):
    "Lines of a function's body, without its docstring."
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return node.end_lineno - body[0].lineno + 1


def code_lines(source):
    "Lines of a cell, without directives and empty ones."
    return [line for line in source.splitlines() if line.strip() and not line.startswith("#|")]


def sizes():
    "Kind of measure → [(lines, where)], smallest first."
    functions = [
        (body_lines(n), f"{c.page}: {n.name}")
        for c in read_cells()
        if c.exported
        for n in ast.walk(c.tree)
        if isinstance(n, FUNCTION)
    ]
    cells = [(len(code_lines(c.source)), f"{c.page}, code cell {c.number}") for c in read_cells()]
    return {"function body": sorted(functions), "code cell": sorted(cells)}


def count_exercises(path):
    "Exercises of a notebook: bold headings like **2 (middle).** below the heading Exercises."
    _, _, below = "\n".join(read_sources(path, "markdown")).partition("## Exercises")
    return len(re.findall(r"^\*\*\d+ \(\w+\)", below, re.MULTILINE))


def print_range(name, values, least=None, most=None):
    "One line on a figure of each notebook; the fault, if a value is outside."
    low, high = min(values, key=values.get), max(values, key=values.get)
    print(f"        {name:22} {values[low]:6} in {low} … {values[high]} in {high}")
    return [
        f"{page}: {n} {name}, at least {least}" for page, n in values.items() if least and n < least
    ] + [f"{page}: {n} {name}, at most {most}" for page, n in values.items() if most and n > most]


def check_sizes():
    "Functions, cells, lines and notebooks keep the sizes of the style."
    faults = []
    print(f"        {'lines':22} {'number':>7} {'median':>7} {'90 %':>6} {'most':>6}")
    for kind, found in sizes().items():
        values = [n for n, _ in found]
        measured = median(values), values[int(0.9 * len(values))], values[-1]
        print(
            f"        {kind:22} {len(values):7} {measured[0]:7.0f} {measured[1]:6} {measured[2]:6}"
        )
        for name, n, cap in zip(("median", "90th percentile"), measured, CAPS[kind]):
            if n > cap:
                faults.append(f"{kind}: {name} {n}, at most {cap}")
        faults += [
            f"{where}: {kind} of {n}, at most {CAPS[kind][2]}"
            for n, where in found
            if n > CAPS[kind][2]
        ]
    pages = {path.stem: [c for c in read_cells() if c.page == path.stem] for path in PAGES}
    exercises = {path.stem: count_exercises(path) for path in PAGES}
    by_chapter = {
        f"chapter {k}": sum(n for page, n in exercises.items() if page[0] == str(k))
        for k in range(1, 7)
    }
    faults += print_range(
        "asserting cells",
        {
            p: sum("assert" in c.source or "expect_fail" in c.source for c in cells)
            for p, cells in pages.items()
        },
        10,
    )
    faults += print_range("exercises", by_chapter, 3)
    faults += print_range(
        "cells",
        {
            path.stem: sum(len(read_sources(path, kind)) for kind in ("code", "markdown"))
            for path in PAGES
        },
        most=210,
    )
    faults += print_range(
        "KB",
        {path.stem: path.stat().st_size // 1000 for path in [*PAGES, ROOT / "nbs" / "index.ipynb"]},
        most=500,
    )
    return faults + [
        f"{c.page}, code cell {c.number}: it is empty" for c in read_cells() if not c.source.strip()
    ]


# docstrings


def comment_at(source, line):
    "The comment at the end of a line."
    return source.splitlines()[line - 1].partition("# ")[2]


def parameters_of(node):
    "All parameters of a function."
    a = node.args
    return [p for p in (*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg) if p]


def has_shape(text):
    "Whether a comment or docstring states the shape of a tensor: (B, T), (n,), scalar, or name → tensor."
    return (
        re.search(r"\([^()]*,[^()]*\)|\([A-Z(…]|\bscalar|\bshape|\(\)|names? →|one number", text)
        is not None
    )


def escaping(node):
    "Names of the errors that a function raises and does not catch itself."
    caught = {
        id(n)
        for t in ast.walk(node)
        if isinstance(t, ast.Try)
        for h in t.handlers
        if h.type and "ValueError" in ast.unparse(h.type)
        for statement in t.body
        for n in ast.walk(statement)
    }
    return {
        ast.unparse(n.exc).split("(")[0]
        for n in ast.walk(node)
        if isinstance(n, ast.Raise) and n.exc and id(n) not in caught
    }


def doc_faults(name, node, symbol):
    """What a reader misses in a function or method: its sense, its parameters, shapes, errors.

    A method may say its sense in a comment behind its first line. A parameter that the docstring names, or whose name
    means the same everywhere (KNOWN), needs no comment.
    """
    own, lines = ast.get_docstring(node) or "", symbol.cell.source.splitlines()
    head = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
    short = comment_at(symbol.cell.source, node.lineno) or comment_at(
        symbol.cell.source, node.body[0].lineno
    )
    if not own and node.name != "__init__" and not ("." in name and short):
        yield "no docstring"
    for parameter in parameters_of(node):
        comment, kind = (
            comment_at(symbol.cell.source, parameter.lineno),
            ast.unparse(parameter.annotation or ast.Constant("")),
        )
        if (
            not comment
            and kind == "''"
            and parameter.arg not in KNOWN
            and not re.search(rf"\b{parameter.arg}\b", own)
        ):
            yield f"{parameter.arg} has neither a type nor a comment"
        if "Tensor" in kind and not has_shape(comment):
            yield f"{parameter.arg} is a tensor without a shape"
    if (
        node.returns
        and "Tensor" in ast.unparse(node.returns)
        and not has_shape(head.rpartition("\n)")[2] + own)
    ):
        yield "returns a tensor without a shape"
    said = own + head + (ast.get_docstring(symbol.node) or "") * (node.name == "__init__")
    yield from (
        f"raises {error}, and does not say when"
        for error in sorted(escaping(node) & {"ValueError", "KeyError", "TypeError"})
        if error not in said
    )


def check_docs():
    "Exported functions, classes and methods say what they do, their shapes, and the errors that they raise."
    faults = []
    for symbol in read_symbols():
        if isinstance(symbol.node, ast.ClassDef) and not ast.get_docstring(symbol.node):
            faults.append(f"{symbol} has no docstring")
        for name, node in functions_of(symbol):
            if node.name not in PROTOCOL:
                faults += [
                    f"{symbol.cell.page}: {name}: {said}" for said in doc_faults(name, node, symbol)
                ]
        if is_dataclass(symbol) and symbol.name.endswith("Config"):
            faults += [
                f"{symbol}.{f.target.id} has no comment"
                for f in fields_of(symbol)
                if not comment_at(symbol.cell.source, f.lineno)
            ]
    return faults


# use


@cache
def readers():
    "(page, name) → the statements at the top of its cells that read the name."
    found = defaultdict(set)
    for cell in read_cells():
        for statement in cell.tree.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    found[cell.page, node.id].add(id(statement))
    return found


@cache
def imported_by(page):
    "(module, name) of what the cells of a notebook import and name again, also inside texts that are run as programs."
    text = "\n".join(c.source for c in read_cells() if c.page == page)
    listed = [
        (m, name.split()[0])
        for m, plain, braced in re.findall(
            r"from llmft\.(\w+) import (?:\(([^)]*)\)|([^\n;\"'(]+))", text
        )
        for name in (plain or braced).split(",")
        if name.strip()
    ]
    aliases = re.findall(r"from llmft import (\w+)", text) + re.findall(
        r"import llmft\.(\w+)", text
    )
    dotted = [(m, name) for m in aliases for name in re.findall(rf"\b{m}\.(\w+)", text)]
    return {
        *((m, name) for m, name in listed if len(re.findall(rf"\b{name}\b", text)) > 1),
        *dotted,
        *re.findall(r"llmft\.(\w+):(\w+)", text),
    }


def is_used(symbol):
    "Whether a cell, or other code of its own cell, reads a symbol."
    mine = symbol.cell.module, symbol.name
    return bool(readers()[symbol.cell.page, symbol.name] - {id(symbol.node)}) or any(
        mine in imported_by(path.stem) for path in PAGES
    )


def unread_parameters(symbol):
    "Parameters that a function or method never looks at. Those of a cached function may be there only to tell its results apart."
    for name, node in functions_of(symbol):
        if node.name in PROTOCOL or any("cache" in ast.unparse(d) for d in node.decorator_list):
            continue
        read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        yield from (
            f"{symbol.cell.page}: {name} never reads {p.arg}"
            for p in parameters_of(node)
            if p.arg not in {*read, "self", "cls", "_"}
        )


@cache
def attributes_read():
    "Attribute → pages whose exported code reads it, other than to check it."
    found = defaultdict(set)
    for cell in read_cells():
        if not cell.exported:
            continue
        checks = {
            id(n)
            for f in ast.walk(cell.tree)
            if isinstance(f, ast.FunctionDef) and f.name == "__post_init__"
            for n in ast.walk(f)
        }
        for node in ast.walk(cell.tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Load)
                and id(node) not in checks
            ):
                found[node.attr].add(cell.page)
    return found


def pages_near(cell):
    "The page of a cell, those that it imports from, and those that import from it: where its settings can be read."
    below = {module for module, _ in imported_by(cell.page)}
    return {
        path.stem
        for path in PAGES
        if path.stem == cell.page
        or path.stem[3:] in below
        or any(module == cell.module for module, _ in imported_by(path.stem))
    }


def check_use():
    "Every export is used by a cell, every parameter is read, and every setting is read by a page that knows it."
    faults = []
    for symbol in read_symbols():
        if not is_used(symbol):
            faults.append(f"{symbol} is used by nothing")
        faults += unread_parameters(symbol)
        if not (is_dataclass(symbol) and symbol.name.endswith("Config")):
            continue
        pages = pages_near(symbol.cell)
        faults += [
            f"{symbol}.{f.target.id} is read by nothing"
            for f in fields_of(symbol)
            if not attributes_read()[f.target.id] & pages
        ]
    return faults


# words of the commands


def command_functions():
    "Command → its function, as `llmft.cli` lists them."
    table = {(s.cell.module, s.name): s for s in read_symbols()}
    commands = ast.literal_eval(table["cli", "COMMANDS"].node.value)
    return {
        name: table[tuple(target.removeprefix("llmft.").split(":"))]
        for name, (target, _) in commands.items()
    }


def option_names(symbol):
    "The options of a command: parameters, with those that are dataclasses laid open."
    classes = {s.name: s for s in read_symbols() if is_dataclass(s)}
    for parameter in parameters_of(symbol.node):
        kind = ast.unparse(parameter.annotation) if parameter.annotation else ""
        yield from (
            [f.target.id for f in fields_of(classes[kind])] if kind in classes else [parameter.arg]
        )


def check_words():
    "Commands call the same thing by the same word."
    return [
        f"llmft {command} --{word.replace('_', '-')}: say --{SYNONYMS[word].replace('_', '-')}"
        for command, symbol in command_functions().items()
        for word in option_names(symbol)
        if word in SYNONYMS
    ]


# papers


def check_papers():
    "PAPERS.md names exports that exist and that say their source, and every paper whose arXiv number a docstring names."
    listed, table = (
        (ROOT / "PAPERS.md").read_text(encoding="utf-8"),
        {(s.cell.module, s.name): s for s in read_symbols()},
    )
    faults, modules = [], {module for module, _ in table}
    for module, name in dict.fromkeys(re.findall(r"`(\w+)\.(\w+)[`.]", listed)):
        if module not in modules:
            continue
        if (module, name) not in table:
            faults.append(f"PAPERS.md names {module}.{name}, which is not there")
        elif not re.search(
            r"[Ss]ource|arXiv|\b(19|20)\d\d\b", ast.get_docstring(table[module, name].node) or ""
        ):
            faults.append(
                f"{table[module, name]} comes from a paper, as PAPERS.md says, but names no source"
            )
    for symbol in table.values():
        nodes = (
            []
            if isinstance(symbol.node, ast.Assign)
            else [symbol.node, *(node for _, node in functions_of(symbol))]
        )
        papers = {
            paper
            for node in nodes
            for paper in re.findall(r"\b\d{4}\.\d{5}\b", ast.get_docstring(node) or "")
        }
        faults += [
            f"{symbol} names arXiv:{paper}, which is not in PAPERS.md"
            for paper in sorted(papers)
            if paper not in listed
        ]
    return faults


CHECKS = (check_sizes, check_docs, check_use, check_words, check_papers)

if __name__ == "__main__":
    for check in CHECKS:
        print(check.__doc__, *check(), sep="\n    ")
