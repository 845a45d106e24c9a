"""Write data/ordinance.txt and data/ordinance_questions.jsonl: what `world` makes with its defaults.

The notebook on retrieval stands below `world` and cannot call it, so it reads these files.
"""

from pathlib import Path

from llmft.core import write_atomic, write_jsonl
from llmft.world import law_items, make_world, ordinance_text

DATA = Path(__file__).parent.parent / "data"


def questions(world):
    "Question, answer and source of each item about the ordinance."
    for item in law_items(world):
        choices = dict(line.split(" ", 1) for line in item["選択肢"].split("\n"))
        yield dict(
            id=item["ファイル名"],
            question=item["問題文"],
            answer=choices[item["output"]],
            reference=item["references"][0],
        )


if __name__ == "__main__":
    world = make_world()
    with write_atomic(DATA / "ordinance.txt") as file:
        file.write(ordinance_text(world) + "\n")
    write_jsonl(DATA / "ordinance_questions.jsonl", questions(world))
