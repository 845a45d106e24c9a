"""Everything that `make test` checks; the last line is `N passed, N failed`: notebooks, and checks that fail.

Words name the notebooks to run, by how they begin (then PARITY.md is not measured). `--second NAME`
runs the second_pages of pyproject.toml once more, under another arithmetic of `make spread`.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import export
import parity
import readme
import style
from common import LIMITS, PAGES, ROOT, read_notebook, run, stale

from llmft.spread import ARITHMETICS, environment, spread_table
from llmft.translation import page_faults, pages_of, read_glossary

os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ.setdefault("LLMFT_CACHE", str(ROOT / ".cache"))
WORKERS = max(1, min(2, os.cpu_count() or 1))
DEBRIS = re.compile(r"(/home/|/Users/|/root/|/tmp/|/work/|[A-Z]:\\\\Users)|Warning:|it/s\]|\d+%\|")


def complaint(*words):
    "What a command says when it fails."
    status, output, errors = run(*words)
    return [(output + errors).strip()] if status else []


def check_syntax():
    "Every cell is Python."
    return export.syntax_faults()


def check_export():
    "The modules are what the notebooks give, exported anew in another folder."
    modules, faults = export.exported_modules()
    stale = [] if faults else export.stale_modules(modules)
    return faults + [
        f"llmft/{name} is not what its notebook gives; run make export" for name in stale
    ]


def output_faults(output):
    "What must not stay in one output of a cell."
    shown = output.get("data", {})
    text = output.get("text", "") + shown.get("text/plain", "") + shown.get("text/html", "")
    if found := DEBRIS.search(text):
        yield f"{found[0]!r} in the output"
    if output.get("name") == "stderr" or output.output_type == "error":
        yield "an error, or output on the error stream"


def check_clean():
    "Notebooks hold outputs, but no counts, widgets, warnings, progress bars or paths of a machine."
    faults = []
    for path in [*PAGES, ROOT / "nbs" / "index.ipynb"]:
        for number, cell in enumerate(read_notebook(path), 1):
            found = [fault for output in cell.get("outputs", []) for fault in output_faults(output)]
            found += ["has a count; run nbdev_clean"] * (cell.get("execution_count") is not None)
            found += ["is empty"] * (not cell.source.strip())
            faults += [f"{path.name}, cell {number}: {fault}" for fault in found]
        if '"application/vnd.jupyter.widget' in path.read_text(encoding="utf-8"):
            faults.append(f"{path.name}: holds widgets")
    return faults


def check_layers():
    "Modules import their own layer or lower ones, without circles (pyproject.toml)."
    return complaint("lint-imports", "--no-cache", "--no-logo")


def check_ruff():
    "ruff finds nothing in notebooks and tools, and would format nothing."
    return complaint("ruff", "check", "--quiet") + complaint("ruff", "format", "--check", "--quiet")


def check_types():
    "basedpyright finds no more errors in the modules than pyproject.toml allows."
    status, output, errors = run("basedpyright", "--outputjson")
    if status not in (0, 1):
        return [output + errors]
    severities = [found["severity"] for found in json.loads(output)["generalDiagnostics"]]
    n, most = severities.count("error"), LIMITS["type_errors"]
    print(f"        {n} errors, at most {most}")
    return [f"{n} errors, at most {most}; `basedpyright` lists them"] * (n > most)


def check_readme():
    "The READMEs, their pictures and PARITY.md are what the notebooks give."
    return stale(readme.made() | parity.made(parity.parity_rows()))


def check_parity():
    "This run measured every row of PARITY.md again, within its tolerance."
    return parity.record_faults(parity.parity_rows(), Path(os.environ["LLMFT_PARITY"]))


def check_spread():
    "SPREAD.md is what the notebooks give, and every test of something learnt stands far from what right runs give."
    text, faults = spread_table(ROOT)
    return stale({ROOT / "SPREAD.md": text.encode("utf-8")}) + faults


def check_translation():
    "Every message of the pages has its Japanese, none is fuzzy, and none lost a number, code, a formula, a link or a tag."
    patterns, pages = read_glossary(ROOT / "po" / "GLOSSARY.md"), pages_of(ROOT / "nbs")
    return [f for p in pages for f in page_faults(p, ROOT / f"po/ja/{p.stem}.po", patterns)]


def report(check):
    "Run a check, say how it went, and tell whether it found faults."
    try:
        faults = check()
    except SystemExit as stop:  # what the other tools say when they cannot go on
        faults = [str(stop)]
    print(f"{'FAILED' if faults else 'passed'}  {check.__doc__}", flush=True)
    for fault in faults:
        print(f"        {fault}", flush=True)
    return bool(faults)


def test_notebook(path, arithmetic=""):
    "Run the tests of one notebook in a process of its own."
    begin, env = time.perf_counter(), dict(os.environ, LLMFT_QUIET="1")
    env |= dict(OMP_NUM_THREADS="1") if WORKERS > 1 else {}
    if arithmetic:
        cache = Path(os.environ["LLMFT_CACHE"]) / arithmetic
        env |= environment(arithmetic, cache) | dict(LLMFT_PARITY="")
    words = ("nbdev_test", "--path", path, "--n_workers", "0", "--do_print")
    status, output, errors = run(*words, env=env)
    seconds, word = time.perf_counter() - begin, "FAILED" if status else "passed"
    print(f"{word}  {path.stem:16} {seconds:6.1f} s  {arithmetic}", flush=True)
    if status:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", output + errors).strip().splitlines()
        print(*lines[-25:], sep="\n", flush=True)
    return not status


def test_notebooks(pages, second):
    "Run notebooks side by side; the first is the one that trains the model that others wait for."
    again = [path for path in pages if second and path.stem[:2] in LIMITS["second_pages"]]
    jobs = [(path, "") for path in pages] + [(path, second) for path in again]
    jobs.sort(key=lambda job: job[0].stem[:2] != "14")
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda job: test_notebook(*job), jobs))


CHECKS = (check_export, check_clean, check_layers, *style.CHECKS, check_ruff, check_types)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*")
    parser.add_argument("--second", choices=[n for n, s in ARITHMETICS.items() if s])
    asked, begin = parser.parse_args(), time.perf_counter()
    if report(check_syntax):
        print("0 passed, 1 failed")
        sys.exit(1)
    bad = sum(map(report, (*CHECKS, check_readme, check_spread, check_translation)))
    pages = [path for path in PAGES if path.name.startswith(tuple(asked.words) or "")]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LLMFT_PARITY"] = f"{folder}/parity.jsonl"  # the notebooks add their records
        passed = test_notebooks(pages, asked.second)
        bad += 0 if asked.words else report(check_parity)
    print(f"{(time.perf_counter() - begin) / 60:.1f} minutes")
    print(f"{sum(passed)} passed, {len(passed) - sum(passed) + bad} failed")
    sys.exit(bad > 0 or not all(passed))
