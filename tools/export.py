"""Export the notebooks to llmft/, as `make export`: a cell that is no Python is named, and nothing is touched. `--check` only compares."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from common import ROOT, run


def syntax_faults():
    "The first fault of each cell that is no Python: notebook, cell, line."
    words = ("ruff", "check", "--quiet", "--select", "E9", "--output-format", "concise", "nbs")
    first = {}
    for line in run(*words)[1].splitlines():
        first.setdefault(line.partition(": ")[0].rsplit(":", 2)[0], line)
    return [*first.values()]


def exported_modules():
    "(file name → contents, what nbdev complains of): the modules, made from a copy of the notebooks."
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for file in ("settings.ini", "pyproject.toml"):
            shutil.copy(ROOT / file, copy)
        shutil.copytree(ROOT / "nbs", copy / "nbs", ignore=shutil.ignore_patterns("runs", ".*"))
        (copy / "llmft").mkdir()
        shutil.copy(ROOT / "llmft" / "__init__.py", copy / "llmft")
        status, output, errors = run("nbdev_export", cwd=copy)
        modules = {p.name: p.read_bytes() for p in (copy / "llmft").glob("*.py")}
    return modules, [output + errors] * bool(status)


def stale_modules(modules):
    "Files of llmft/ that are not these modules."
    kept = {p.name: p.read_bytes() for p in (ROOT / "llmft").glob("*.py")}
    return [name for name in sorted({*modules, *kept}) if modules.get(name) != kept.get(name)]


if __name__ == "__main__":
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    modules, faults = ({}, found) if (found := syntax_faults()) else exported_modules()
    if faults:
        sys.exit("\n".join(["nothing was exported:", *faults]))
    stale = stale_modules(modules)
    if "--check" in sys.argv:
        sys.exit("\n".join(f"llmft/{n} is old; run make export" for n in stale) or 0)
    for name in stale:
        path = ROOT / "llmft" / name
        path.write_bytes(modules[name]) if name in modules else path.unlink()
        print(f"llmft/{name} {'written' if name in modules else 'deleted'}")
