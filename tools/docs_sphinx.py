"""What Sphinx does not do by itself: formulas without a script, a search that finds Japanese, the language of each text, comments of parameters."""

import re
import unicodedata

from docutils import nodes
from fastcore.docments import docments
from latex2mathml.converter import convert
from sphinx.search.en import SearchEnglish
from sphinx.transforms.post_transforms import SphinxPostTransform

JAPANESE = "々〆〇ぁ-ゖゝゞァ-ヺー-ヿ㐀-䶿一-鿿"  # letters that a word can hold
WIDE = rf"[{JAPANESE}\u3000-\u303f\uff00-\uff65]"
SPLITTER = """
var splitQuery = (query) => {
  const words = [];
  for (const run of query.normalize("NFKC").match(/[JA]+|(?:(?![JA])[\\p{L}\\p{N}_])+/gu) || []) {
    if (!/^[JA]/u.test(run) || run.length === 1) words.push(run);
    else for (let i = 0; i + 1 < run.length; i++) words.push(run.slice(i, i + 2));
  }
  return words;
};
""".replace("JA", JAPANESE)


class PairSearch(SearchEnglish):
    "English words; a Japanese run gives its letters and its pairs of letters, so that any part of it is found."

    lang = "pairs"
    language_name = "English"  # names the stemmer
    js_splitter_code = SPLITTER

    def split(self, input):
        text = unicodedata.normalize("NFKC", input)
        words = []
        for run in re.findall(rf"[{JAPANESE}]+|[^\W{JAPANESE}]+", text):
            pairs = [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
            words += pairs if re.match(f"[{JAPANESE}]", run) else [run]
        return words


def visit_math(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self, node):
    formula = convert(node.astext(), display="block")
    self.body.append(f"{self.starttag(node, 'div', CLASS='math')}{formula}</div>\n")
    raise nodes.SkipNode


def marked(piece):
    "A piece of text as a node, with its language."
    japanese = re.match(WIDE, piece)
    return nodes.inline("", piece, classes=["language-ja"]) if japanese else nodes.Text(piece)


class MarkJapanese(SphinxPostTransform):
    "Give Japanese text its language, which a screen reader and the style need."

    default_priority = 900
    code = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)

    def run(self, **kwargs):
        for block in self.document.findall(nodes.literal_block):
            if "output" in str(block.parent.get("classes")) and re.search(WIDE, block.astext()):
                block["classes"].append("language-ja")
        for text in [*self.document.findall(nodes.Text)]:
            if re.search(WIDE, text) and not isinstance(text.parent, (*self.code, nodes.comment)):
                pieces = filter(None, re.split(rf"({WIDE}+)", text))
                text.parent.replace(text, [*map(marked, pieces)])


class DescribeImages(SphinxPostTransform):
    "A picture without words takes those of its section, for readers who cannot see it."

    default_priority = 900

    def run(self, **kwargs):
        for image in self.document.findall(nodes.image):
            section = image.parent
            while section is not None and not isinstance(section, nodes.section):
                section = section.parent
            if "alt" not in image and section is not None:
                image["alt"] = f"Figure in “{section[0].astext()}”"


def to_rst(text):
    "The Markdown of our docstrings and comments as autodoc reads it: code, formulas, and plain words."
    parts = re.split(r"(`[^`]+`|\$[^$]+\$)", text)
    plain = lambda part: re.sub(r"([|\\]|_(?!\w)|(?<!\w)\*(?=\W))", r"\\\1", part)
    spans = {"$": lambda part: f":math:`{part.strip('$')}`", "`": lambda part: f":py:obj:{part}"}
    return "".join(spans.get(part[:1], plain)(part) for part in parts)


def add_comments(app, what, name, found, options, lines):
    "Docstrings are Markdown; the comment behind a parameter tells what it is."
    told = docments(found, full=True) if what in ("function", "method", "class") else {}
    key = lambda name: "returns" if name == "return" else f"param {name}"
    comments = [(key(n), " ".join(d.docment.split())) for n, d in told.items() if d.docment]
    lines[:] = to_rst("\n".join(lines)).splitlines()
    lines += ["", *(f":{key}: {to_rst(comment)}" for key, comment in comments), ""]


def setup(app):
    app.connect("autodoc-process-docstring", add_comments)
    # all that a module exports is shown, even a constant without a word
    app.connect("autodoc-skip-member", lambda app, what, *_: False if what == "module" else None)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.add_search_language(PairSearch)
    app.add_post_transform(MarkJapanese)
    app.add_post_transform(DescribeImages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
