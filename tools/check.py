"""Everything that `make test` checks. The last line is `N passed, N failed`, counting notebooks."""
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
NOTEBOOKS = [path for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb")) if path.name.startswith(tuple(sys.argv[1:]) or "")]
DEBRIS = re.compile(r"(/home/|/Users/|/root/|/tmp/|/work/|[A-Z]:\\\\Users)|Warning:|it/s\]|\d+%\|")


def run(*words, **options):
    "Run a command in the repository; return (exit status, output)."
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, **options)
    return done.returncode, (done.stdout + done.stderr).strip()


def check_export():
    "The generated modules, deleted and exported again, are the same."
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "llmft"
        shutil.copytree(ROOT / "llmft", before, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (ROOT / "llmft").glob("*.py"):
            if path.name != "__init__.py": path.unlink()
        status, said = run("nbdev_export")
        if status: return [f"nbdev_export: {said}"]
        names = {p.name for folder in (before, ROOT / "llmft") for p in folder.glob("*.py")}
        read = lambda p: p.read_text(encoding="utf-8") if p.exists() else None
        return [f"llmft/{name} is not what its notebook gives; run nbdev_export" for name in sorted(names)
                if read(before / name) != read(ROOT / "llmft" / name)]


def check_clean():
    "Notebooks hold outputs, but no counts, widgets, warnings, progress bars or paths of a machine, and stay below 500 KB."
    faults = []
    for path in [*NOTEBOOKS, ROOT / "nbs" / "index.ipynb"]:
        if path.stat().st_size > 500_000: faults.append(f"{path.name}: {path.stat().st_size // 1000} KB, at most 500")
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if "widgets" in notebook["metadata"]: faults.append(f"{path.name}: holds widgets")
        for number, cell in enumerate(notebook["cells"], 1):
            if cell.get("execution_count") is not None: faults.append(f"{path.name}, cell {number}: has an execution count; run nbdev_clean")
            for output in cell.get("outputs", []):
                text = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
                if found := DEBRIS.search(text): faults.append(f"{path.name}, cell {number}: {found[0]!r} in the output")
                if output.get("name") == "stderr": faults.append(f"{path.name}, cell {number}: output on the error stream")
                if output["output_type"] == "error": faults.append(f"{path.name}, cell {number}: an error is kept")
    return faults


def check_style():
    "Cells of at most 40 lines and none empty, functions of at most 40 lines, and tests in every notebook."
    faults = []
    for path in NOTEBOOKS:
        cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        if sum("assert" in c or "expect_fail" in c for c in cells) < 10: faults.append(f"{path.name}: fewer than 10 testing cells")
        for number, source in enumerate(cells, 1):
            if not source.strip(): faults.append(f"{path.name}, code cell {number}: it is empty")
            if len(source.splitlines()) > 42: faults.append(f"{path.name}, code cell {number}: {len(source.splitlines())} lines, at most 40")
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef) and node.end_lineno - node.body[0].lineno + 1 > 40:
                    faults.append(f"{path.name}: {node.name} has a body of more than 40 lines")
    return faults


def imported_modules(source):
    "Names of the modules of llmft that a cell imports, and * for a star import."
    names = []
    for node in ast.walk(ast.parse(re.sub(r"^[%!].*", "", source, flags=re.MULTILINE))):
        if isinstance(node, ast.Import): names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" if node.module == "llmft" else node.module for alias in node.names]
            names += ["*" for alias in node.names if alias.name == "*"]
    return [name.removeprefix("llmft.") for name in names if name == "*" or name.startswith("llmft.")]


def check_imports():
    "A notebook imports modules of lower numbers only, in every cell."
    number = {path.stem.split("_", 1)[1]: int(path.stem[:2]) for path in NOTEBOOKS}
    faults = []
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type != "code": continue
            for name in imported_modules(cell.source):
                if name in number and number[name] >= int(path.stem[:2]): faults.append(f"{path.name} imports llmft.{name}, which is not below it")
                if name == "*": faults.append(f"{path.name}: star import")
    return faults


def complaint(*words):
    "What a command says when it fails."
    status, said = run(*words)
    return [said] if status else []


def check_ruff():
    "ruff finds nothing."
    return complaint("ruff", "check", "--quiet")


def check_readme():
    "README.md is what nbs/index.ipynb gives."
    return complaint(sys.executable, "tools/readme.py", "--check")


def test_notebook(path):
    "Run the tests of one notebook in a process of its own."
    begin = time.perf_counter()
    env = dict(os.environ, LLMFT_QUIET="1", OMP_NUM_THREADS="1") if WORKERS > 1 else dict(os.environ, LLMFT_QUIET="1")
    status, said = run("nbdev_test", "--path", str(path), "--n_workers", "0", "--do_print", env=env)
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    print(f"{'passed' if not status else 'FAILED'}  {path.stem:16} {time.perf_counter() - begin:6.1f} s", flush=True)
    if status: print("\n".join(said.splitlines()[-25:]), flush=True)
    return not status


WORKERS = max(1, min(2, os.cpu_count() or 1))

if __name__ == "__main__":
    bad = 0
    for check in (check_export, check_clean, check_style, check_imports, check_ruff, check_readme):
        faults = check()
        bad += bool(faults)
        print(f"{'FAILED' if faults else 'passed'}  {check.__doc__ or check.__name__}", flush=True)
        for fault in faults: print(f"        {fault}", flush=True)
    with ThreadPoolExecutor(WORKERS) as pool: passed = list(pool.map(test_notebook, NOTEBOOKS))
    print(f"{sum(passed)} passed, {len(passed) - sum(passed) + bad} failed")
    sys.exit(bad > 0 or not all(passed))
