"""Pages of the API, written from the text of the package: signature, comment of each parameter, docstring. Nothing is imported."""

import ast
import io
import json
import re
import tokenize
from dataclasses import dataclass, field

PROGRAMS = (ast.Lambda, ast.ListComp, ast.GeneratorExp)


@dataclass
class Symbol:
    "A function, a class or a constant of a module."

    kind: str  # function, class, method, property or data
    name: str  # GPT, or GPT.forward for a method
    signature: str = ""  # (x: Tensor, …) -> Tensor, or the value of a constant
    comments: dict = field(default_factory=dict)  # parameter or "return" → its comment
    doc: str = ""  # Markdown
    cell: str = ""  # id of the cell of the notebook that exports it
    members: list = field(default_factory=list)  # methods and properties of a class


def line_comments(source):
    "Line number → comment without its mark, behind or above code."
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def read_function(node, comments, owner=""):
    "One function or method. A default that is a program of its own becomes an ellipsis."
    a, words = node.args, {ast.unparse(d) for d in node.decorator_list}
    plain = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(plain) - len(a.defaults)) + a.defaults + a.kw_defaults
    ends = {(d or p).end_lineno: p.arg for p, d in zip([*plain, *a.kwonlyargs], defaults)}
    ends |= {p.end_lineno: p.arg for p in (a.vararg, a.kwarg) if p}
    if node.returns:
        ends.setdefault(node.returns.end_lineno, "return")
    if owner and "staticmethod" not in words:
        del a.args[0]
    for some in (a.defaults, a.kw_defaults):
        some[:] = [ast.Constant(...) if isinstance(d, PROGRAMS) else d for d in some]
    kind = "method" if owner else "function"
    signature = f"({ast.unparse(a)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")
    if words & {"property", "cached_property"}:
        kind, signature = "property", ""
    told = {name: comments[line] for line, name in ends.items() if line in comments}
    name = f"{owner}.{node.name}" if owner else node.name
    return Symbol(kind, name, signature, told, ast.get_docstring(node) or "")


def read_class(node, comments):
    "One class: its fields or the parameters of `__init__`, and its public methods that say something."
    found = Symbol("class", node.name, doc=ast.get_docstring(node) or "")
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    members = {f.name: read_function(f, comments, node.name) for f in functions}
    if fields := [n for n in node.body if isinstance(n, ast.AnnAssign)]:
        parts = [re.sub(r" = field\(.*", " = ...", ast.unparse(f)) for f in fields]
        found.signature = f"({', '.join(parts)})"
        ends = {f.target.id: f.end_lineno for f in fields}
        found.comments = {name: comments[line] for name, line in ends.items() if line in comments}
    if init := members.get("__init__"):
        found.signature, found.comments = init.signature, init.comments
    public = [m for name, m in members.items() if not name.startswith("_")]
    found.members = [m for m in public if m.doc or m.comments]
    return found


def read_constants(node, comments):
    "The names of an assignment, with their values where those are short."
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    pairs = [(target, node.value)]
    if isinstance(target, ast.Tuple):
        pairs = zip(target.elts, node.value.elts)
    for name, value in pairs:
        text = ast.unparse(value)
        shown = text if len(text) <= 80 else ""
        yield Symbol("data", ast.unparse(name), shown, doc=comments.get(node.lineno, ""))


def read_module(path):
    "(docstring, public symbols in the order of the notebook) of a module of the package."
    source = path.read_text(encoding="utf-8")
    tree, comments, cell, symbols, public = ast.parse(source), line_comments(source), "", [], []
    for node in tree.body:
        marks = re.findall(r"^# %% \S+ #(\S+)", "\n".join(source.splitlines()[: node.lineno]), re.M)
        cell, found = marks[-1] if marks else "", []
        if isinstance(node, ast.FunctionDef):
            found = [read_function(node, comments)]
        elif isinstance(node, ast.ClassDef):
            found = [read_class(node, comments)]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = ast.literal_eval(node.value)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            found = [*read_constants(node, comments)]
        for symbol in found:
            symbol.cell = cell
        symbols += [symbol for symbol in found if symbol.name in public]
    return ast.get_docstring(tree) or "", symbols


def linked(text, names):
    "Markdown whose `names` of public symbols are links to their entries; code blocks are left alone."
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    link = lambda m: f"{{py:obj}}`{m[1]} <{names[m[1]]}>`" if m[1] in names else m[0]
    parts[::2] = [re.sub(r"(?<!`)`([\w.]+)`(?!`)", link, part) for part in parts[::2]]
    return "".join(parts)


def entry(symbol, names, source="", fence="::::::"):
    "One symbol as a directive of Sphinx's Python domain."
    key = lambda name: "returns" if name == "return" else f"param {name}"
    fields = [f":{key(name)}: {linked(text, names)}" for name, text in symbol.comments.items()]
    inner = [entry(member, names, fence=fence[:-1]) for member in symbol.members]
    body = [source, linked(symbol.doc, names), "\n".join(fields), *inner]
    title = symbol.name + symbol.signature
    if symbol.kind == "data":
        value = json.dumps(symbol.signature, ensure_ascii=False)
        title = symbol.name + (f"\n:value: {value}" if symbol.signature else "")
    text = "\n\n".join(filter(None, body))
    return f"{fence}{{py:{symbol.kind}}} {title}\n\n{text}\n{fence}"


def module_page(name, doc, symbols, notebook, names):
    "The page of one module; `notebook` is its file without its ending, such as 11_gpt."
    local = names | {s.name: f"llmft.{name}.{s.name}" for s in symbols}
    link = f"[{notebook}](../nbs/{notebook}.ipynb)"
    made = f"Made from the notebook {link}, where each piece is explained and tested."
    parts = [f"# llmft.{name}", doc, made, f":::{{py:module}} llmft.{name}\n:::"]
    parts += [entry(s, local, f"{{.source}}\n[notebook](#cell-{name}-{s.cell})") for s in symbols]
    return "\n\n".join(parts) + "\n"
