"""Do other versions than those of constraints.txt pass? `make drift` asks it of the newest that settings.ini allows.

An environment of its own (.venv-drift) is made, the tests run in it, and a table says what changed. PyTorch keeps its pin: a free
range brings several GB of GPU libraries.

    --oldest            the lower bounds of settings.ini instead of the newest versions
    --notebooks 10 51   only the notebooks whose names begin so
    --pin               write the versions that were tried to constraints.txt, if everything passed
"""

import argparse
import json
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".venv-drift"
PYTHON = HOME / "bin" / "python"
PINS = ROOT / "constraints.txt"


def canonical(name):
    "The one spelling of a distribution's name."
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins():
    "Canonical name → (name as it is written, version), from constraints.txt."
    lines = [line.split("==") for line in PINS.read_text(encoding="utf-8").split()]
    return {canonical(name): (name, version) for name, version in lines}


def lower_bounds(extras):
    "Constraints that ask for the oldest version that settings.ini allows of each library."
    config = ConfigParser(delimiters=["="])
    config.read(ROOT / "settings.ini", encoding="utf-8")
    rows = [
        config["DEFAULT"]["requirements"],
        *(config["DEFAULT"][f"{extra}_requirements"] for extra in extras.split(",")),
    ]
    found = {
        re.match(r"[\w.-]+", word)[0]: re.search(r">=([\w.]+)", word)
        for row in rows
        for word in row.split()
    }
    return [
        f"{name}=={bound[1]}" for name, bound in sorted(found.items()) if bound and name != "torch"
    ]


def make_environment(extras, oldest):
    "A fresh environment with llmft in it; what pip says of a conflict ends the program."
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
    limits = [f"torch=={read_pins()['torch'][1]}", *(lower_bounds(extras) if oldest else [])]
    (HOME / "limits.txt").write_text("\n".join(limits) + "\n", encoding="utf-8")
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--constraint",
        HOME / "limits.txt",
        "--editable",
        f".[{extras}]",
    ]
    if status := subprocess.run([PYTHON, *words], cwd=ROOT).returncode:
        sys.exit(status)


def installed():
    "Canonical name → (name, version) of what the environment holds, without llmft and pip."
    said = subprocess.run(
        [PYTHON, "-m", "pip", "list", "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = {
        canonical(row["name"]): (row["name"], row["version"].split("+")[0])
        for row in json.loads(said)
    }
    return {
        name: row
        for name, row in rows.items()
        if name not in ("llmft", "pip", "setuptools", "wheel")
    }


def module_names():
    "Canonical name → the names under which its modules are imported."
    program = "import json; from importlib.metadata import packages_distributions as p; print(json.dumps(p()))"
    said = subprocess.run(
        [PYTHON, "-c", program], check=True, capture_output=True, text=True
    ).stdout
    names = {}
    for module, distributions in json.loads(said).items():
        for distribution in distributions:
            names.setdefault(canonical(distribution), []).append(module)
    return names


def users(modules):
    "The notebooks in which a module is imported."
    call = (
        re.compile(rf"\b(?:import|from) (?:{'|'.join(map(re.escape, modules))})\b")
        if modules
        else None
    )
    return [
        path.stem
        for path in sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
        if call and call.search(path.read_text(encoding="utf-8"))
    ]


def run_tests(notebooks):
    "What `tools/check.py` says of each notebook, shown while it comes; and whether all passed."
    search = os.pathsep.join([str(HOME / "bin"), os.environ["PATH"]])
    begun = subprocess.Popen(
        [PYTHON, "tools/check.py", *notebooks],
        cwd=ROOT,
        env=dict(os.environ, PATH=search),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    results = {}
    for line in begun.stdout:
        print(line, end="", flush=True)
        if found := re.match(r"(passed|FAILED)\s+(\d\d_\w+)", line):
            results[found[2]] = found[1]
    return results, begun.wait() == 0


def verdict(names, results):
    "What the tests say of a library: of the notebooks that import it, or of all where none does."
    tried = [name for name in names or results if name in results]
    if not tried:
        return "not tried"
    failed = [name for name in tried if results[name] == "FAILED"]
    where = (
        ", ".join(name[:2] for name in tried)
        if len(tried) <= 8 and len(tried) < len(results)
        else f"all {len(tried)}"
    )
    return f"FAILED in {', '.join(failed)}" if failed else f"passed ({where})"


def show(pins, found, results, word):
    "The table of what differs from the pins."
    modules, changed = (
        module_names(),
        [name for name in sorted(found) if found[name][1] != pins.get(name, ("", ""))[1]],
    )
    print(f"\n{'package':22} {'pinned':14} {word:14} tests")
    for name in changed:
        print(
            f"{name:22} {pins.get(name, ('', '-'))[1]:14} {found[name][1]:14} {verdict(users(modules.get(name, [])), results)}"
        )
    print(f"{len(changed)} of {len(found)} packages differ from constraints.txt", flush=True)


def write_pins(pins, found):
    "Move the pins to the versions that were tried; what was not installed keeps its pin."
    versions = {name: version for name, (_, version) in (pins | found).items()}
    lines = sorted(
        (f"{(found | pins)[name][0]}=={version}" for name, version in versions.items()),
        key=str.lower,
    )
    PINS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    "Make the environment, run the tests, print the table."
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--extras", required=True, help="the extras to install, with commas between them"
    )
    parser.add_argument("--oldest", action="store_true")
    parser.add_argument("--notebooks", nargs="*", default=[])
    parser.add_argument("--pin", action="store_true")
    given = parser.parse_args()
    print(
        f"installing the {'oldest' if given.oldest else 'newest'} versions that settings.ini allows into {HOME.name}",
        flush=True,
    )
    make_environment(given.extras, given.oldest)
    pins, found = read_pins(), installed()
    results, passed = run_tests(given.notebooks)
    show(pins, found, results, "oldest" if given.oldest else "newest allowed")
    if given.pin and passed:
        write_pins(pins, found)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
