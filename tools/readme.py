"""Write README.md from nbs/index.ipynb: its Markdown, and its code with what it printed. `--check` only compares."""
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent


def readme_text() -> str:
    "The README that the notebook gives."
    parts = []
    for cell in nbformat.read(ROOT / "nbs" / "index.ipynb", as_version=4).cells:
        source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.MULTILINE).strip()
        if "#| hide" in cell.source or not source: continue
        if cell.cell_type == "markdown": parts.append(re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](nbs/\1.ipynb)", source))
        if cell.cell_type == "code":
            parts.append(f"```python\n{source}\n```")
            shown = "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream").rstrip()
            if shown: parts.append(f"```text\n{shown}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    target = ROOT / "README.md"
    if "--check" not in sys.argv: target.write_text(readme_text(), encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != readme_text():
        sys.exit("README.md is not what nbs/index.ipynb gives; run make readme")
