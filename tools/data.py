"""Write the files of data/ that are made from others: `company`, `ordinance`, or both.

`company_report.pdf` comes from its Markdown. `ordinance.txt` and `ordinance_questions.jsonl` are what
`world` makes with its defaults: the notebook on retrieval stands below `world` and reads them.
"""

import sys

from common import ROOT

from llmft.core import write_atomic, write_jsonl
from llmft.world import law_items, make_world, ordinance_text, write_pdf

DATA = ROOT / "data"


def company():
    "company_report.pdf."
    text = (DATA / "company_report.md").read_text(encoding="utf-8")
    write_pdf(text, DATA / "company_report.pdf")


def questions(world):
    "Question, answer and source of each item about the ordinance."
    for item in law_items(world):
        choices = dict(line.split(" ", 1) for line in item["選択肢"].split("\n"))
        answer, source = choices[item["output"]], item["references"][0]
        yield dict(id=item["ファイル名"], question=item["問題文"], answer=answer, reference=source)


def ordinance():
    "ordinance.txt and ordinance_questions.jsonl."
    world = make_world()
    with write_atomic(DATA / "ordinance.txt") as file:
        file.write(ordinance_text(world) + "\n")
    write_jsonl(DATA / "ordinance_questions.jsonl", questions(world))


if __name__ == "__main__":
    for name in sys.argv[1:] or ("company", "ordinance"):
        dict(company=company, ordinance=ordinance)[name]()
