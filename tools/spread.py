"""How far right runs lie apart: `make spread` runs the pages that learn under other arithmetics and seeds.

It writes data/results/spread.json, and from it SPREAD.md: each `assert_learnt` of the book with the mean, the standard
deviation and the distance of its limits. Words name pages, by how they begin: then only these are run again.
`--table` writes SPREAD.md anew from the values that are kept, `--check` says where the table is not what the notebooks give.
"""

import argparse
import ast
import json
import math
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import nbformat

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "spread"
ENOUGH = 4  # standard deviations between the mean and a limit
# What torch reads when it is imported. A processor that lacks an instruction set takes the best that it has.
ARITHMETICS = {
    "native": {},
    "avx2": dict(
        ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2"
    ),
    "default": dict(
        ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41", MKL_ENABLE_INSTRUCTIONS="SSE4_2"
    ),
}
SEEDS = range(5)
# Each seed of the base goes on through the later pages once, each with another arithmetic.
CHAINS = (("native", 0), ("avx2", 1), ("default", 2), ("native", 3), ("avx2", 4))
TEXT = """\
# How far right runs lie apart

A trained model depends on its seed and, through the order of additions, on the processor and the number of threads. Each row
is a test in a notebook (`assert_learnt`): its value over runs that each have another seed of the base model and another
arithmetic, and how many standard deviations lie between the mean and the nearest limit. A test is kept only if that is at
least {enough}. A deviation of 0 means that all runs gave the same value. `make spread` makes the runs; commit {commit}, {cpu}.

| page | what was learnt | runs | mean | standard deviation | limits | distance |
|---|---|---|---|---|---|---|
"""


def environment(arithmetic: str, cache: Path) -> dict:
    "Environment variables of a run on one thread."
    return dict(
        os.environ,
        LLMFT_QUIET="1",
        LLMFT_CACHE=str(cache),
        OMP_NUM_THREADS="1",
        MKL_NUM_THREADS="1",
        **ARITHMETICS[arithmetic],
    )


def learning_pages() -> list:
    "Notebooks with a test of something learnt."
    return [
        path
        for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
        if path.stem != "90_core" and "assert_learnt(" in path.read_text(encoding="utf-8")
    ]


def train_base(seed: int) -> None:
    "Train the model of chapter 1 with a seed, in the place where the pages look for it, and say what share of the facts it recalls."
    from llmft.pretraining import BASE_TRAIN, base_cache, chapter_run, load_checkpoint, recall
    from llmft.world import cloze_prompts, make_world

    run = base_cache() / "run"
    if not (run / "report.html").exists():
        chapter_run(base_cache(), config=replace(BASE_TRAIN, seed=seed))
    model, tokenizer, _ = load_checkpoint(run)
    losses = [
        json.loads(line)["loss"]
        for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    share = fmean(
        answer["right"] for answer in recall(model, tokenizer, cloze_prompts(make_world()))
    )
    print(json.dumps(dict(recall=share, losses=[losses[i] for i in (0, 99, -1)])))


def run_base(job) -> dict:
    "The model of chapter 1 under one arithmetic with one seed, in a process of its own."
    arithmetic, seed = job
    done = subprocess.run(
        [sys.executable, __file__, "--train", str(seed)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(arithmetic, CACHE / f"{arithmetic}-{seed}"),
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found = dict(arithmetic=arithmetic, seed=seed, **json.loads(done.stdout.splitlines()[-1]))
    print(
        f"{arithmetic:8} seed {seed}: recalls {100 * found['recall']:.1f} % of the facts",
        flush=True,
    )
    return found


def run_page(path: Path, job) -> dict:
    "Execute one page on the base of a job: the values of its tests, and what failed beside them."
    arithmetic, seed = job
    cache = CACHE / f"{arithmetic}-{seed}"
    record = cache / f"{path.stem}.jsonl"
    record.unlink(missing_ok=True)
    code = f"from llmft.book import execute_notebook; from pathlib import Path; import json; print(json.dumps(execute_notebook(Path({str(path)!r}))[3]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(arithmetic, cache) | dict(LLMFT_SPREAD=str(record)),
    )
    failed = (
        json.loads(done.stdout.splitlines()[-1])
        if not done.returncode
        else {"0": done.stderr[-500:]}
    )
    values = (
        [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
        if record.exists()
        else []
    )
    print(
        f"{path.stem:16} {arithmetic:8} seed {seed}: {len(values)} values{'; FAILED ' + '; '.join(failed.values()) if failed else ''}",
        flush=True,
    )
    return dict(
        page=path.stem,
        arithmetic=arithmetic,
        seed=seed,
        values=values,
        failed=list(failed.values()),
    )


def run_chain(job, pages) -> list:
    "One base and all pages on it."
    return [run_page(path, job) for path in pages]


def limit_of(node):
    "The number that a limit is written as; None where it is no constant."
    try:
        return float(ast.literal_eval(node))
    except ValueError:
        return None


def written_tests(path: Path) -> list:
    "(pattern of the name, least, most) of each `assert_learnt` in a notebook; a limit is None where there is none."
    from llmft.book import is_skipped

    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if (
            cell.cell_type != "code"
            or "assert_learnt(" not in cell.source
            or is_skipped(cell.source)
        ):
            continue
        for node in ast.walk(
            ast.parse(re.sub(r"^[%!].*$", "pass", cell.source, flags=re.MULTILINE))
        ):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "assert_learnt":
                continue
            parts = (
                node.args[0].values if isinstance(node.args[0], ast.JoinedStr) else [node.args[0]]
            )
            name = "".join(
                re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in parts
            )
            limits = dict(zip(("least", "most"), node.args[2:])) | {
                k.arg: k.value for k in node.keywords
            }
            found.append(
                (
                    name,
                    *(
                        limit_of(limits[side]) if side in limits else None
                        for side in ("least", "most")
                    ),
                )
            )
    return found


def table_rows(runs) -> tuple:
    "(rows of the table, faults): the tests as the notebooks have them now, with the values of the runs."
    values, rows, faults = {}, [], []
    for run in runs:
        for v in run["values"]:
            values.setdefault((run["page"], v["what"]), []).append(v)
    for path in learning_pages():
        here = {what: vs for (page, what), vs in values.items() if page == path.stem}
        for name, least, most in written_tests(path):
            for what in [w for w in here if re.fullmatch(name, w)] or [None]:
                if what is None:
                    faults.append(f"{path.stem}: {name} was not measured; run make spread")
                    continue
                n, measured = len(here[what]), [v["value"] for v in here[what]]
                low, high = (
                    here[what][-1].get(side) if limit is None else limit
                    for side, limit in (("least", least), ("most", most))
                )
                if n < 2:
                    faults.append(f"{path.stem}: {what} was measured once; run make spread")
                    continue
                mean, deviation = fmean(measured), stdev(measured)
                room = min(
                    [
                        sign * (mean - limit)
                        for sign, limit in ((1, low), (-1, high))
                        if limit is not None
                    ],
                    default=-math.inf,
                )
                rows.append(
                    (
                        path.stem,
                        what,
                        n,
                        mean,
                        deviation,
                        low,
                        high,
                        room / deviation if deviation else math.copysign(math.inf, room),
                    )
                )
    return rows, faults + [
        f"{page}: {what}: its limit is {far:.1f} standard deviations from the mean, at least {ENOUGH}"
        for page, what, *_, far in rows
        if not far >= ENOUGH
    ]


def table(study) -> str:
    "SPREAD.md."
    lines = [TEXT.format(enough=ENOUGH, commit=study["commit"], cpu=study["machine"]["cpu"])]
    for page, what, n, mean, deviation, least, most, far in table_rows(study["figures"]["pages"])[
        0
    ]:
        limits = " and ".join(
            f"at {side} {limit:g}"
            for side, limit in (("least", least), ("most", most))
            if limit is not None
        )
        distance = f"{far:.1f}" if far < 100 else "> 100"
        lines.append(
            f"| [{page}](nbs/{page}.ipynb) | {what} | {n} | {mean:.4g} | {deviation:.2g} | {limits} | {distance} |\n"
        )
    return "".join(lines)


def check() -> list:
    "Tests that were not measured or stand too near, and a table that is not what the notebooks and the values give."
    from llmft.core import read_results

    study, page = read_results("spread"), ROOT / "SPREAD.md"
    faults = table_rows(study["figures"]["pages"])[1]
    if not page.exists() or page.read_text(encoding="utf-8") != table(study):
        faults.append("SPREAD.md is not what the notebooks give; run make readme")
    return faults


def kept_figures() -> dict:
    "What earlier runs measured."
    from llmft.core import read_results

    return (
        read_results("spread")["figures"]
        if (ROOT / "data" / "results" / "spread.json").exists()
        else dict(base=[], pages=[])
    )


def keep(kind: str, fresh: list, names: tuple) -> None:
    "Put fresh records in the place of those with the same names, and write both files."
    from llmft.core import read_results, write_results

    figures, name_of = kept_figures(), lambda record: tuple(record[name] for name in names)
    new = {name_of(record) for record in fresh}
    figures[kind] = sorted([r for r in figures[kind] if name_of(r) not in new] + fresh, key=name_of)
    write_results("spread", figures, list(SEEDS))
    if figures["pages"]:
        (ROOT / "SPREAD.md").write_text(table(read_results("spread")), encoding="utf-8")


def measure(words) -> None:
    "The bases that the pages stand on, the pages, and the other bases."
    pages = [path for path in learning_pages() if path.stem.startswith(tuple(words) or "")]
    others = [
        (arithmetic, seed)
        for arithmetic in ARITHMETICS
        for seed in SEEDS
        if (arithmetic, seed) not in CHAINS
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        keep("base", list(pool.map(run_base, CHAINS)), ("arithmetic", "seed"))
        keep(
            "pages",
            [run for runs in pool.map(lambda job: run_chain(job, pages), CHAINS) for run in runs],
            ("page", "arithmetic", "seed"),
        )
        if not words:
            keep("base", list(pool.map(run_base, others)), ("arithmetic", "seed"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.train is not None:
        train_base(asked.train)
    elif asked.table or asked.check:
        from llmft.core import read_results

        if asked.table:
            (ROOT / "SPREAD.md").write_text(table(read_results("spread")), encoding="utf-8")
        if faults := check():
            sys.exit("\n".join(faults))
    else:
        measure(asked.pages)
