"""Does the package work elsewhere? `make wheel` builds the wheel, installs it in an empty environment, and uses it in an empty folder.

There it knows neither nbs/ nor data/. The commands make a town, pretrain, fine-tune and evaluate on it, and the ten lines of README.md run.
Every command that the READMEs show must exist, with its options.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
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


def run(*words, cwd, **env):
    "Run a command and return what it printed; a failure ends the program with all that was said."
    done = subprocess.run(
        words,
        cwd=cwd,
        capture_output=True,
        text=True,
        env={
            **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            "LLMFT_QUIET": "1",
            **env,
        },
    )
    if done.returncode:
        sys.exit(f"FAILED  {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder):
    "The wheel, built from a copy of the sources, so that nothing old is left in it."
    source = folder / "source"
    source.mkdir()
    for name in ("settings.ini", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "llmft", source / "llmft", ignore=shutil.ignore_patterns("__pycache__"))
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        source,
        cwd=folder,
    )
    return next(folder.glob("llmft-*.whl"))


def ten_lines():
    "The program in README.md."
    found = re.search(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    lines = [line for line in found[1].splitlines() if line.strip()]
    if len(lines) != 10:
        sys.exit(f"README.md promises ten lines, its first program has {len(lines)}")
    return found[1]


def shown_commands():
    "The lines of both READMEs that begin with llmft."
    return [
        line
        for name in ("README.md", "README.ja.md")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("llmft ") and "--" in line
    ]


def use(folder, home):
    "Run every command in an empty folder, and look at what it left."
    binaries = home / "bin"
    program = Path(
        run(binaries / "python", "-c", "import llmft; print(llmft.__file__)", cwd=folder).strip()
    )
    if not program.is_relative_to(home.resolve()):
        sys.exit(f"FAILED  llmft was imported from {program}, not from the wheel")
    run(binaries / "python", "-c", READ_COMMANDS, *shown_commands(), cwd=folder)
    print(
        f"passed  the {len(shown_commands())} commands with options that the READMEs show exist",
        flush=True,
    )
    for command, left in STEPS.items():
        said = run(
            binaries / "llmft", *command.split(), cwd=folder, LLMFT_CACHE=str(folder / "cache")
        )
        if left and not (folder / left).exists():
            sys.exit(f"FAILED  llmft {command}: {left} is not there\n{said}")
        print(f"passed  llmft {command}", flush=True)
    losses = [
        json.loads(line)["loss"]
        for line in (folder / "runs/tiny/log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    if losses[-1] > losses[0] - 1:
        sys.exit(f"FAILED  pretraining did not learn: loss {losses[0]:.2f} → {losses[-1]:.2f}")
    said = run(
        binaries / "python", "-c", ten_lines(), cwd=folder, LLMFT_CACHE=str(folder / "cache")
    )
    shown = re.search(
        r"```text\n(.*?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )[1]
    if said.split("。")[0] != shown.split("。")[0]:
        sys.exit(f"FAILED  the ten lines printed {said!r}, README.md shows {shown!r}")
    print("passed  the ten lines of README.md", flush=True)


def main():
    "Build, install, use."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel, home, empty = build(folder), folder / "env", folder / "empty"
        print(f"built   {wheel.name}, {wheel.stat().st_size // 1000} KB; installing it", flush=True)
        run(sys.executable, "-m", "venv", home, cwd=folder)
        run(
            home / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--constraint",
            ROOT / "constraints.txt",
            wheel,
            cwd=folder,
        )
        empty.mkdir()
        use(empty, home)


if __name__ == "__main__":
    main()
