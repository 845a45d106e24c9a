"""Pages of the API, written from the text of the package: signature, comment of each parameter, docstring. Nothing is imported."""

import ast
import io
import json
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Symbol:
    "A function, a class or a constant of a module."

    kind: str  # function, class, method, property or data
    name: str  # GPT, or GPT.forward for a method
    signature: str = ""  # (x: Tensor, …) -> Tensor, or the value of a constant
    comments: dict = field(
        default_factory=dict
    )  # parameter → its comment; the key "return" for the result
    doc: str = ""  # Markdown
    cell: str = ""  # id of the cell of the notebook that exports it
    members: list = field(default_factory=list)  # methods and properties of a class


def line_comments(source: str) -> dict:  # line number → comment without its mark
    "The comments of a program that stand behind or above code."
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def signature_text(node: ast.FunctionDef, method: bool) -> str:
    "(x: Tensor, n: int = 3) -> Tensor; a default that is a program of its own becomes an ellipsis."
    args = ast.parse(ast.unparse(node)).body[0].args
    if method and not any(ast.unparse(d) == "staticmethod" for d in node.decorator_list):
        args.args = args.args[1:]
    short = lambda value: (
        ast.Constant(...)
        if isinstance(value, (ast.Lambda, ast.ListComp, ast.GeneratorExp))
        else value
    )
    args.defaults, args.kw_defaults = (
        [short(d) for d in args.defaults],
        [short(d) for d in args.kw_defaults],
    )
    return f"({ast.unparse(args)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def function_comments(node: ast.FunctionDef, comments: dict) -> dict:  # parameter → comment
    "Comments behind the parameters of a function and behind its result."
    last_on_line = {
        a.end_lineno: a.arg
        for a in [
            *node.args.posonlyargs,
            *node.args.args,
            *filter(None, [node.args.vararg]),
            *node.args.kwonlyargs,
            *filter(None, [node.args.kwarg]),
        ]
    }
    defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    ends = {
        line: max([line, *(d.end_lineno for d in defaults if d.lineno == line)])
        for line in last_on_line
    }
    found = {
        name: comments[ends[line]] for line, name in last_on_line.items() if ends[line] in comments
    }
    if (
        node.returns
        and node.returns.end_lineno in comments
        and node.returns.end_lineno not in ends.values()
    ):
        found["return"] = comments[node.returns.end_lineno]
    return found


def read_function(node: ast.FunctionDef, comments: dict, owner: str = "") -> Symbol:
    "One function or method."
    is_property = any(
        ast.unparse(d) in ("property", "cached_property") for d in node.decorator_list
    )
    kind = "property" if is_property else "method" if owner else "function"
    return Symbol(
        kind,
        f"{owner}.{node.name}" if owner else node.name,
        "" if is_property else signature_text(node, bool(owner)),
        function_comments(node, comments),
        ast.get_docstring(node) or "",
    )


def read_class(node: ast.ClassDef, comments: dict) -> Symbol:
    "One class: its fields or the parameters of `__init__`, and its public methods that say something."
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    found = Symbol("class", node.name, doc=ast.get_docstring(node) or "")
    init = next((f for f in functions if f.name == "__init__"), None)
    if init:
        found.signature, found.comments = (
            signature_text(init, True),
            function_comments(init, comments),
        )
    elif fields:
        parts = [ast.unparse(f) for f in fields]
        found.signature = "(" + ", ".join(re.sub(r" = field\(.*", " = ...", p) for p in parts) + ")"
        found.comments = {
            f.target.id: comments[f.end_lineno] for f in fields if f.end_lineno in comments
        }
    members = [
        read_function(f, comments, node.name) for f in functions if not f.name.startswith("_")
    ]
    found.members = [m for m in members if m.doc or m.comments]
    return found


def read_constants(node: ast.Assign, comments: dict) -> list[Symbol]:
    "The names of an assignment, with their values where those are short."
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    pairs = (
        zip(target.elts, node.value.elts)
        if isinstance(target, ast.Tuple)
        else [(target, node.value)]
    )
    values = {ast.unparse(name): ast.unparse(value) for name, value in pairs}
    return [
        Symbol("data", name, value if len(value) <= 80 else "", doc=comments.get(node.lineno, ""))
        for name, value in values.items()
    ]


def read_module(
    path: Path,
) -> tuple[str, list[Symbol]]:  # (docstring, symbols in the order of the notebook)
    "Every public symbol of a module of the package."
    source = path.read_text(encoding="utf-8")
    tree, comments = ast.parse(source), line_comments(source)
    cells = {
        number: found[1]
        for number, line in enumerate(source.splitlines(), 1)
        if (found := re.match(r"# %% \S+ #(\S+)", line))
    }
    public = next(
        (
            ast.literal_eval(n.value)
            for n in tree.body
            if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
        ),
        [],
    )
    symbols = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found = [read_function(node, comments)]
        elif isinstance(node, ast.ClassDef):
            found = [read_class(node, comments)]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            found = read_constants(node, comments)
        else:
            continue
        for symbol in found:
            symbol.cell = cells[max(line for line in cells if line < node.lineno)]
            if symbol.name in public:
                symbols.append(symbol)
    return ast.get_docstring(tree) or "", symbols


def linked(text: str, names: dict) -> str:  # Markdown
    "Markdown whose `names` of public symbols are links to their entries; code blocks are left alone."
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    link = lambda m: f"{{py:obj}}`{m[1]} <{names[m[1]]}>`" if m[1] in names else m[0]
    return "".join(
        p if p.startswith("```") else re.sub(r"(?<!`)`([\w.]+)`(?!`)", link, p) for p in parts
    )


def entry(symbol: Symbol, names: dict, source: str = "", fence: str = "::::::") -> str:  # Markdown
    "One symbol as a directive of Sphinx's Python domain."
    fields = [
        f":param {name}: {linked(text, names)}"
        for name, text in symbol.comments.items()
        if name != "return"
    ]
    if "return" in symbol.comments:
        fields.append(f":returns: {linked(symbol.comments['return'], names)}")
    inner = [entry(m, names, fence=fence[:-1]) for m in symbol.members]
    body = "\n\n".join(filter(None, [source, linked(symbol.doc, names), "\n".join(fields), *inner]))
    if symbol.kind != "data":
        title = symbol.name + symbol.signature
    else:
        title = symbol.name + (
            f"\n:value: {json.dumps(symbol.signature, ensure_ascii=False)}"
            if symbol.signature
            else ""
        )
    return f"{fence}{{py:{symbol.kind}}} {title}\n\n{body}\n{fence}"


def module_page(name: str, doc: str, symbols: list[Symbol], notebook: str, names: dict) -> str:
    "The page of one module; `notebook` is its file without its ending, such as 11_gpt."
    local = names | {s.name: f"llmft.{name}.{s.name}" for s in symbols}
    parts = [
        f"# llmft.{name}",
        doc,
        f"Made from the notebook [{notebook}](../nbs/{notebook}.ipynb), where each piece is explained and tested.",
        f":::{{py:module}} llmft.{name}\n:::",
    ]
    parts += [entry(s, local, f"{{.source}}\n[notebook](#cell-{name}-{s.cell})") for s in symbols]
    return "\n\n".join(parts) + "\n"
