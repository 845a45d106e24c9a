"""What the tools share: the repository, its notebooks, its versions, and commands."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
PINS = ROOT / "constraints.txt"
LIMITS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["llmft"]
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def run(*words, **options):
    "Run a command, in the repository unless `cwd` says otherwise: (exit status, output, errors)."
    options = dict(cwd=ROOT, capture_output=True, text=True) | options
    done = subprocess.run([*map(str, words)], **options)
    return done.returncode, done.stdout, done.stderr


def must(*words, **options):
    "What a command prints. Its failure ends the program with all that was said."
    status, output, errors = run(*words, **options)
    if status:
        sys.exit(f"FAILED  {' '.join(map(str, words))}\n{output}{errors[-3000:]}")
    return output


@cache
def read_notebook(path, kind=""):
    "The cells of a notebook; with a kind only those of code, or of markdown."
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if kind in ("", cell.cell_type)]


def without_magics(source):
    "A cell as plain Python: commands of the notebook are empty statements."
    return re.sub(r"^[%!].*", "pass", source, flags=re.MULTILINE)


def defined_names(statement):
    "The names that a function, a class or an assignment gives."
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    found = [n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)]
    return [statement.name] if hasattr(statement, "name") else found


def canonical(name):
    "The one spelling of a distribution's name."
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins():
    "Canonical name → (name as it is written, version), from constraints.txt."
    lines = [line.split("==") for line in PINS.read_text(encoding="utf-8").split()]
    return {canonical(name): (name, version) for name, version in lines}


def stale(files):
    "What to say of files (path → bytes) that do not hold what the notebooks give."
    old = [path for path, data in files.items() if not path.exists() or path.read_bytes() != data]
    return [f"{p.relative_to(ROOT)} is not what the notebooks give; run make readme" for p in old]
