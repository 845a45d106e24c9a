"""What Sphinx does not do by itself: formulas without a script, a search that finds Japanese, and the language of each piece of text."""

import re
import unicodedata

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.search.en import SearchEnglish
from sphinx.transforms.post_transforms import SphinxPostTransform

JAPANESE = "々〆〇ぁ-ゖゝゞァ-ヺー-ヿ㐀-䶿一-鿿"  # letters that a word can hold
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


def split_words(text: str) -> list[str]:
    "Words of a text for the index: a Japanese run gives its letters and its pairs of letters, so that any part of it can be found."
    words = []
    for run in re.findall(rf"[{JAPANESE}]+|[^\W{JAPANESE}]+", unicodedata.normalize("NFKC", text)):
        if not re.match(f"[{JAPANESE}]", run):
            words.append(run)
        else:
            words += [*run, *(run[i : i + 2] for i in range(len(run) - 1))]
    return words


class PairSearch(SearchEnglish):
    "English words and pairs of Japanese letters."

    lang = "pairs"
    language_name = "English"  # names the stemmer
    js_splitter_code = SPLITTER

    def split(self, input):
        return split_words(input)


def visit_math(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self, node):
    self.body.append(
        self.starttag(node, "div", CLASS="math")
        + convert(node.astext(), display="block")
        + "</div>\n"
    )
    raise nodes.SkipNode


class MarkJapanese(SphinxPostTransform):
    "Give Japanese text its language, which a screen reader and the style need, and join its lines without a space."

    default_priority = 900

    def run(self, **kwargs):
        wide = rf"[{JAPANESE}\u3000-\u303f\uff00-\uff65]"
        code = (nodes.literal, nodes.math, nodes.math_block, nodes.raw, nodes.comment)
        for block in list(self.document.findall(nodes.literal_block)):
            if "output" in str(block.parent.get("classes")) and re.search(wide, block.astext()):
                block["classes"].append("language-ja")
        for text in [t for t in self.document.findall(nodes.Text) if t == "\n"]:
            here = text.parent.index(text)
            before, after = text.parent[:here][-1:], text.parent[here + 1 : here + 2]
            if (
                before
                and after
                and re.search(f"{wide}$", before[0].astext())
                and re.match(wide, after[0].astext())
            ):
                text.parent.remove(text)
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, (*code, nodes.literal_block)) or not re.search(wide, text):
                continue
            pieces = [p for p in re.split(rf"({wide}+)", text) if p]
            text.parent.replace(
                text,
                [
                    nodes.inline("", p, classes=["language-ja"])
                    if re.match(wide, p)
                    else nodes.Text(p)
                    for p in pieces
                ],
            )


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
