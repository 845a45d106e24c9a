"""What Sphinx does not do by itself: formulas without a script, a search that finds Japanese, and the language of each piece of text."""

import re
import unicodedata

from docutils import nodes
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


class MarkJapanese(SphinxPostTransform):
    "Give Japanese text its language, which a screen reader and the style need, and join its lines without a space."

    default_priority = 900
    code = (
        nodes.literal,
        nodes.math,
        nodes.math_block,
        nodes.raw,
        nodes.comment,
        nodes.literal_block,
    )

    def run(self, **kwargs):
        for block in self.document.findall(nodes.literal_block):
            if "output" in str(block.parent.get("classes")) and re.search(WIDE, block.astext()):
                block["classes"].append("language-ja")
        texts = [*self.document.findall(nodes.Text)]
        for text in filter(self.is_break, texts):
            text.parent.remove(text)
        for text in texts:
            if re.search(WIDE, text) and not isinstance(text.parent, self.code):
                pieces = [piece for piece in re.split(rf"({WIDE}+)", text) if piece]
                text.parent.replace(text, [*map(self.marked, pieces)])

    def is_break(self, text):
        "Whether a text is the end of a line between two pieces of Japanese."
        here = text.parent.index(text)
        near = [n.astext() for n in (*text.parent[:here][-1:], *text.parent[here + 1 :][:1])]
        around = len(near) == 2 and re.search(f"{WIDE}$", near[0]) and re.match(WIDE, near[1])
        return text == "\n" and around

    def marked(self, piece):
        "A piece of text as a node."
        japanese = re.match(WIDE, piece)
        return nodes.inline("", piece, classes=["language-ja"]) if japanese else nodes.Text(piece)


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


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.add_search_language(PairSearch)
    app.add_post_transform(MarkJapanese)
    app.add_post_transform(DescribeImages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
