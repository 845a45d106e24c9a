"""How far right runs lie apart: `make spread` runs the pages that learn under other arithmetics and seeds.

It writes data/results/spread.json, and from it SPREAD.md: each `assert_learnt` of the book with the
mean, the standard deviation and the distance of its limits. Words name pages, by how they begin:
then only these are run again. `make readme` writes SPREAD.md anew from the values that are kept.
"""

import ast
import json
import math
import os
import re
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from common import PAGES, ROOT, last_json, must, read_notebook, without_magics

CACHE = ROOT / ".cache" / "spread"
ENOUGH = 4  # standard deviations between the mean and a limit
# What torch reads when it is imported. A processor that lacks an instruction set takes its best.
ARITHMETICS = {"native": {}} | {
    name: dict(ATEN_CPU_CAPABILITY=name, ONEDNN_MAX_CPU_ISA=onednn, MKL_ENABLE_INSTRUCTIONS=mkl)
    for name, onednn, mkl in (("avx2", "AVX2", "AVX2"), ("default", "SSE41", "SSE4_2"))
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


def environment(arithmetic, cache):
    "What a run on one thread has in its environment beside our own."
    threads = dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    return threads | dict(LLMFT_CACHE=str(cache)) | ARITHMETICS[arithmetic]


def learning_pages():
    "Notebooks with a test of something learnt."
    says = lambda path: "assert_learnt(" in path.read_text(encoding="utf-8")
    return [path for path in PAGES if path.stem != "90_core" and says(path)]


# running


def train_base(seed):
    "Train the model of chapter 1 where the pages look for it; print what share of the facts it recalls."
    from llmft.core import read_jsonl
    from llmft.pretraining import BASE_TRAIN, base_cache, chapter_run, load_checkpoint, recall
    from llmft.world import cloze_prompts, make_world

    folder = base_cache() / "run"
    if not (folder / "report.html").exists():
        chapter_run(base_cache(), config=replace(BASE_TRAIN, seed=seed))
    model, tokenizer, _ = load_checkpoint(folder)
    losses = [record["loss"] for record in read_jsonl(folder / "log.jsonl")]
    answers = recall(model, tokenizer, cloze_prompts(make_world()))
    share = fmean(answer["right"] for answer in answers)
    print(json.dumps(dict(recall=share, losses=[losses[i] for i in (0, 99, -1)])))


def run_base(job):
    "The model of chapter 1 under one arithmetic with one seed, in a process of its own."
    arithmetic, seed = job
    env = os.environ | environment(arithmetic, CACHE / f"{arithmetic}-{seed}")
    found = last_json(must(sys.executable, __file__, "--train", seed, env=env))
    print(f"{arithmetic:8} seed {seed}: recalls {found['recall']:.1%} of the facts", flush=True)
    return dict(arithmetic=arithmetic, seed=seed, **found)


def run_page(path, job):
    "Execute one page on the base of a job: the values of its tests, and what failed beside them."
    from llmft.book import execute_notebook
    from llmft.core import read_jsonl

    arithmetic, seed = job
    cache = CACHE / f"{arithmetic}-{seed}"
    record = cache / f"{path.stem}.jsonl"
    record.unlink(missing_ok=True)
    env = environment(arithmetic, cache) | dict(LLMFT_SPREAD=str(record))
    failed = [*execute_notebook(path, env=env)[3].values()]
    values = read_jsonl(record) if record.exists() else []
    end = f"; FAILED {'; '.join(failed)}" if failed else ""
    print(f"{path.stem:16} {arithmetic:8} seed {seed}: {len(values)} values{end}", flush=True)
    about = dict(page=path.stem, arithmetic=arithmetic, seed=seed)
    return dict(**about, values=values, failed=failed)


def kept():
    "What earlier runs measured, with where and when."
    from llmft.core import read_results

    if (ROOT / "data" / "results" / "spread.json").exists():
        return read_results("spread", ROOT)
    return dict(figures=dict(base=[], pages=[]))


def keep(kind, fresh, names):
    "Put fresh records in the place of those with the same names, and write both files."
    from llmft.core import write_results

    figures, name_of = kept()["figures"], lambda record: tuple(record[name] for name in names)
    new = {name_of(record): record for record in fresh}
    records = {name_of(record): record for record in figures[kind]} | new
    figures[kind] = [records[name] for name in sorted(records)]
    write_results("spread", figures, list(SEEDS), ROOT)
    for path, data in made().items() if figures["pages"] else ():
        path.write_bytes(data)


def measure(words):
    "The bases that the pages stand on, the pages, and the other bases."
    pages = [path for path in learning_pages() if path.stem.startswith(tuple(words) or "")]
    others = [(a, seed) for a in ARITHMETICS for seed in SEEDS if (a, seed) not in CHAINS]
    run_chain = lambda job: [run_page(path, job) for path in pages]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        keep("base", list(pool.map(run_base, CHAINS)), ("arithmetic", "seed"))
        keep("pages", sum(pool.map(run_chain, CHAINS), []), ("page", "arithmetic", "seed"))
        if not words:
            keep("base", list(pool.map(run_base, others)), ("arithmetic", "seed"))


# the table


def written_tests(path):
    "(pattern of the name, limits as they are written) of each `assert_learnt` in a notebook."
    from llmft.book import is_skipped

    for cell in read_notebook(path, "code"):
        if "assert_learnt(" not in cell.source or is_skipped(cell.source):
            continue
        for node in ast.walk(ast.parse(without_magics(cell.source))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "assert_learnt":
                name = node.args[0]
                parts = name.values if isinstance(name, ast.JoinedStr) else [name]
                text = [re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts]
                limits = dict(zip(("least", "most"), node.args[2:]))
                yield "".join(text), limits | {k.arg: k.value for k in node.keywords}


@dataclass
class Row:
    "One test of something learnt, with the values that right runs gave."

    page: str
    what: str
    records: list  # what, value, and limits as they were when it was measured
    limits: dict  # least and most, as trees of Python

    def limit(self, side):
        "The number that a limit is written as; where it is no constant, what it was when measured."
        try:
            return float(ast.literal_eval(self.limits[side]))
        except (KeyError, ValueError):
            return self.records[-1].get(side)

    def statistics(self):
        "(mean, standard deviation, distance of the nearest limit in standard deviations)."
        values = [record["value"] for record in self.records]
        mean, deviation = fmean(values), stdev(values)
        sides = [(1, self.limit("least")), (-1, self.limit("most"))]
        room = min((sign * (mean - n) for sign, n in sides if n is not None), default=-math.inf)
        return mean, deviation, room / deviation if deviation else math.copysign(math.inf, room)

    def line(self):
        "The row of SPREAD.md."
        mean, deviation, far = self.statistics()
        sides = {side: self.limit(side) for side in ("least", "most")}
        limits = " and ".join(f"at {s} {n:g}" for s, n in sides.items() if n is not None)
        distance = f"{far:.1f}" if far < 100 else "> 100"
        link = f"[{self.page}](nbs/{self.page}.ipynb)"
        figures = f"{len(self.records)} | {mean:.4g} | {deviation:.2g} | {limits} | {distance}"
        return f"| {link} | {self.what} | {figures} |\n"


def table_rows(runs):
    "(rows, tests without enough values): the tests as the notebooks have them now."
    values, rows, faults = defaultdict(list), [], []
    for record in runs:
        for value in record["values"]:
            values[record["page"], value["what"]].append(value)
    for path in learning_pages():
        here = [what for page, what in values if page == path.stem]
        for name, limits in written_tests(path):
            found = [what for what in here if re.fullmatch(name, what)]
            new = [Row(path.stem, what, values[path.stem, what], limits) for what in found]
            rows += [row for row in new if len(row.records) > 1]
            if not found or any(len(row.records) < 2 for row in new):
                faults.append(f"{path.stem}: {name} was not measured twice; run make spread")
    return rows, faults


def made():
    "SPREAD.md → its contents."
    study = kept()
    text = TEXT.format(enough=ENOUGH, commit=study["commit"], cpu=study["machine"]["cpu"])
    text += "".join(row.line() for row in table_rows(study["figures"]["pages"])[0])
    return {ROOT / "SPREAD.md": text.encode("utf-8")}


def faults():
    "Tests that were not measured, or stand too near to what right runs give."
    rows, missing = table_rows(kept()["figures"]["pages"])
    near = [(row, far) for row in rows if not (far := row.statistics()[2]) >= ENOUGH]
    words = f"standard deviations from the mean, at least {ENOUGH}"
    return missing + [f"{r.page}: {r.what}: its limit is {far:.1f} {words}" for r, far in near]


if __name__ == "__main__":
    train_base(int(sys.argv[2])) if sys.argv[1:2] == ["--train"] else measure(sys.argv[1:])
