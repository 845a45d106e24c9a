"""Everything that `make test` checks; the last line is `N passed, N failed`: notebooks, and checks that fail.

Words name the notebooks to run, by how they begin (then PARITY.md is not measured). `--second NAME` runs the pages that learn
once more, under another arithmetic of `make spread`.
"""

import argparse
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

import spread
import style

ROOT = Path(__file__).parent.parent
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)  # nbdev_test, ruff
os.environ.setdefault("LLMFT_CACHE", str(ROOT / ".cache"))
PARSER = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
PARSER.add_argument("words", nargs="*")
PARSER.add_argument(
    "--second", choices=[name for name, settings in spread.ARITHMETICS.items() if settings]
)
ASKED = PARSER.parse_args()
NOTEBOOKS = [
    path
    for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
    if path.name.startswith(tuple(ASKED.words) or "")
]
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
            if path.name != "__init__.py":
                path.unlink()
        status, said = run("nbdev_export")
        if status:
            return [f"nbdev_export: {said}"]
        names = {p.name for folder in (before, ROOT / "llmft") for p in folder.glob("*.py")}
        read = lambda p: p.read_text(encoding="utf-8") if p.exists() else None
        return [
            f"llmft/{name} is not what its notebook gives; run nbdev_export"
            for name in sorted(names)
            if read(before / name) != read(ROOT / "llmft" / name)
        ]


def check_clean():
    "Notebooks hold outputs, but no counts, widgets, warnings, progress bars or paths of a machine."
    faults = []
    for path in [*NOTEBOOKS, ROOT / "nbs" / "index.ipynb"]:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if "widgets" in notebook["metadata"]:
            faults.append(f"{path.name}: holds widgets")
        for number, cell in enumerate(notebook["cells"], 1):
            if cell.get("execution_count") is not None:
                faults.append(
                    f"{path.name}, cell {number}: has an execution count; run nbdev_clean"
                )
            for output in cell.get("outputs", []):
                text = "".join(output.get("text", "")) + "".join(
                    output.get("data", {}).get("text/plain", "")
                )
                if found := DEBRIS.search(text):
                    faults.append(f"{path.name}, cell {number}: {found[0]!r} in the output")
                if output.get("name") == "stderr":
                    faults.append(f"{path.name}, cell {number}: output on the error stream")
                if output["output_type"] == "error":
                    faults.append(f"{path.name}, cell {number}: an error is kept")
    return faults


def complaint(*words):
    "What a command says when it fails."
    status, said = run(*words)
    return [said] if status else []


def check_layers():
    "Modules import their own layer or lower ones, without circles (pyproject.toml)."
    return (
        complaint("lint-imports", "--no-cache", "--no-logo")
        if shutil.which("lint-imports")
        else ["import-linter is not installed; run make clean test"]
    )


def check_ruff():
    "ruff finds nothing in notebooks and tools, and would format nothing."
    return complaint("ruff", "check", "--quiet") + complaint("ruff", "format", "--check", "--quiet")


def check_readme():
    "README.md is what nbs/index.ipynb gives."
    return complaint(sys.executable, "tools/readme.py", "--check")


def check_parity():
    "PARITY.md is what the notebooks give, and this run measured every row of it again, within its tolerance."
    return complaint(sys.executable, "tools/parity.py", "--check", os.environ["LLMFT_PARITY"])


def check_spread():
    "SPREAD.md is what the notebooks give, and every test of something learnt stands far from what right runs give."
    return complaint(sys.executable, "tools/spread.py", "--check")


def report(check):
    "Run a check, say how it went, and tell whether it found faults."
    faults = check()
    print(f"{'FAILED' if faults else 'passed'}  {check.__doc__ or check.__name__}", flush=True)
    for fault in faults:
        print(f"        {fault}", flush=True)
    return bool(faults)


def test_notebook(path, arithmetic=""):
    "Run the tests of one notebook in a process of its own."
    begin = time.perf_counter()
    env = (
        dict(os.environ, LLMFT_QUIET="1", OMP_NUM_THREADS="1")
        if WORKERS > 1
        else dict(os.environ, LLMFT_QUIET="1")
    )
    if arithmetic:
        env = spread.environment(arithmetic, Path(os.environ["LLMFT_CACHE"]) / arithmetic) | dict(
            LLMFT_PARITY=""
        )
    status, said = run("nbdev_test", "--path", str(path), "--n_workers", "0", "--do_print", env=env)
    said = re.sub(r"\x1b\[[0-9;]*m", "", said)
    print(
        f"{'passed' if not status else 'FAILED'}  {path.stem:16} {time.perf_counter() - begin:6.1f} s  {arithmetic}",
        flush=True,
    )
    if status:
        print("\n".join(said.splitlines()[-25:]), flush=True)
    return not status


WORKERS = max(1, min(2, os.cpu_count() or 1))

if __name__ == "__main__":
    bad = sum(
        map(
            report,
            (
                check_export,
                check_clean,
                check_layers,
                *style.CHECKS,
                check_ruff,
                check_readme,
                check_spread,
            ),
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LLMFT_PARITY"] = str(
            Path(folder) / "parity.jsonl"
        )  # the notebooks add their records to it
        jobs = [(path, "") for path in NOTEBOOKS]
        if ASKED.second:
            jobs += [(path, ASKED.second) for path in spread.learning_pages() if path in NOTEBOOKS]
        jobs.sort(
            key=lambda job: not job[0].stem.startswith("13")
        )  # the others wait for the model that it trains
        with ThreadPoolExecutor(WORKERS) as pool:
            passed = list(pool.map(lambda job: test_notebook(*job), jobs))
        if not ASKED.words:
            bad += report(check_parity)
    print(f"{sum(passed)} passed, {len(passed) - sum(passed) + bad} failed")
    sys.exit(bad > 0 or not all(passed))
