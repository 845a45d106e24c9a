"""Does the package work elsewhere? `make wheel` builds the wheel, installs it in an empty environment, and uses it in an empty folder.

There it knows neither nbs/ nor data/. The commands make a town, pretrain, fine-tune and evaluate on it, and the program of README.md runs.
Every command that the READMEs show must exist, with its options.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from common import PINS, PIP, ROOT, must

STEPS = {  # command → a file that it must leave
    "doctor": "",
    "world --out shiomi --n-companies 8 --n-people 0": "shiomi/documents.jsonl",
    "tokenizer --data shiomi/documents.jsonl --out tok --vocab-size 1000": "tok.model",
    "pretrain --data shiomi/documents.jsonl --tokenizer tok.model --out runs/tiny --steps 40 --batch-size 4": "runs/tiny/model.safetensors",
    "generate --model runs/tiny --prompt 汐見町": "",
    "export --model runs/tiny --out tiny": "tiny/config.json",
    "sft --data shiomi/qa.jsonl --model tiny --out runs/answers --steps 20": "runs/answers/report.html",
    "ask --model runs/answers --question 西橋工務店の創業者は誰ですか。": "",
    "evaluate --model runs/answers --data shiomi/choices.json --limit 8 --out runs/exam": "runs/exam/report.json",
}
READ_COMMANDS = """
import contextlib, io, re, shlex, sys
from llmft.cli import COMMANDS, main
def options(name):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
    return {*re.findall(r"--[a-z][\\w-]*", said.getvalue())}
for line in sys.argv[1:]:
    words = shlex.split(line, comments=True)[1:]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS), None)
    if name is None: sys.exit(f"there is no command for: {line}")
    if unknown := {word for word in words if word.startswith("--")} - options(name): sys.exit(f"{unknown} of: {line}")
"""
README = (ROOT / "README.md").read_text(encoding="utf-8")


def build(folder):
    "The wheel, built from a copy of the sources, so that nothing old is left in it."
    source = folder / "source"
    source.mkdir()
    for name in ("settings.ini", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "llmft", source / "llmft", ignore=shutil.ignore_patterns("__pycache__"))
    must(sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, source)
    return next(folder.glob("llmft-*.whl"))


def block(language):
    "The first block of README.md in a language."
    return re.search(rf"```{language}\n(.*?)\n```", README, flags=re.DOTALL)[1]


def shown_commands():
    "The lines of both READMEs that begin with llmft."
    lines = (README + (ROOT / "README.ja.md").read_text(encoding="utf-8")).splitlines()
    return [line for line in lines if line.startswith("llmft ") and "--" in line]


def use(folder, home):
    "Run every command in an empty folder, and look at what it left."
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= dict(LLMFT_QUIET="1", LLMFT_CACHE=str(folder / "cache"))
    here = lambda name, *words: must(home / "bin" / name, *words, cwd=folder, env=env)
    program = Path(here("python", "-c", "import llmft; print(llmft.__file__)").strip())
    if not program.is_relative_to(home.resolve()):
        sys.exit(f"FAILED  llmft was imported from {program}, not from the wheel")
    if not (program.parent / "py.typed").exists():
        sys.exit("FAILED  py.typed is not in the wheel")
    commands = shown_commands()
    here("python", "-c", READ_COMMANDS, *commands)
    print(f"passed  the {len(commands)} commands with options that the READMEs show exist")
    for command, left in STEPS.items():
        output = here("llmft", *command.split())
        if left and not (folder / left).exists():
            sys.exit(f"FAILED  llmft {command}: {left} is not there\n{output}")
        print(f"passed  llmft {command}", flush=True)
    log = (folder / "runs" / "tiny" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    first, *_, last = [json.loads(line)["loss"] for line in log]
    if last > first - 1:
        sys.exit(f"FAILED  pretraining did not learn: loss {first:.2f} → {last:.2f}")
    printed, shown = here("python", "-c", block("python")), block("text")
    if printed.split("。")[0] != shown.split("。")[0]:
        sys.exit(f"FAILED  the program printed {printed!r}, README.md shows {shown!r}")
    print("passed  the program of README.md", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel, home, empty = build(folder), folder / "env", folder / "empty"
        print(f"built   {wheel.name}, {wheel.stat().st_size // 1000} KB; installing it", flush=True)
        must(sys.executable, "-m", "venv", home)
        must(home / "bin" / "python", *PIP, "install", "--constraint", PINS, wheel)
        empty.mkdir()
        use(empty, home)
