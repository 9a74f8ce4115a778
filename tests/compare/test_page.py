# SPDX-License-Identifier: MIT
"""The page needs nothing but itself, and is what HTML wants it to be."""

import re
import unittest
from collections import Counter
from html.parser import HTMLParser

import support

from compare.analyse.summary import Summary
from compare.report import charts, page

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects what a browser would see; counts tags that do not match."""

    def __init__(self, made):
        super().__init__()
        self.open, self.wrong, self.tags, self.attributes = [], [], Counter(), []
        self.said = []
        self.feed(made)

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.said.append(data)


def made_of(records):
    summary = Summary(records)
    return page.document(summary, *charts.all_plots(summary))


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        records = support.full_session()
        records.append(support.run_line(2, 99, "real", "same", {}, reason="wrong data")
                       | {"detail": "<script>alert(1)</script> & more"})
        records[0]["workloads"][0]["workload"] = 'short <b> & "q"'
        for record in records:
            if record.get("workload") == "short":
                record["workload"] = 'short <b> & "q"'
        cls.made = made_of(records)
        cls.reader = Reader(cls.made)

    def test_tags_match(self):
        self.assertEqual((self.reader.wrong, self.reader.open), ([], []))

    def test_nothing_is_loaded_and_nothing_runs(self):
        self.assertEqual(self.reader.tags["script"] + self.reader.tags["link"], 0)
        for tag, name, value in self.reader.attributes:
            if name in ("src", "href", "xlink:href", "srcset", "data"):
                self.assertTrue(value.startswith("#"), (tag, name, value))
        style = re.search("<style>(.*?)</style>", self.made, re.S).group(1)
        self.assertNotIn("url(", style)
        self.assertNotIn("@import", style)

    def test_every_name_is_there_once_and_every_link_leads_somewhere(self):
        names = Counter(value for _, name, value in self.reader.attributes if name == "id")
        self.assertEqual([n for n, times in names.items() if times > 1], [])
        for _, name, value in self.reader.attributes:
            if name in ("href", "xlink:href"):
                self.assertIn(value[1:], names)
            if name == "aria-labelledby":
                self.assertIn(value, names)

    def test_tables_have_captions_scopes_and_a_box_that_scrolls(self):
        tags = self.reader.tags
        self.assertEqual(tags["table"], tags["caption"])
        scopes = [a for a in self.reader.attributes if a[:2] == ("th", "scope")]
        self.assertEqual(len(scopes), tags["th"])
        boxes = [a for a in self.reader.attributes if a == ("div", "class", "scroll")]
        self.assertEqual(len(boxes), tags["table"])
        for landmark in ("header", "nav", "main", "footer", "h1"):
            self.assertEqual(tags[landmark], 1)

    def test_charts_have_names_and_follow_the_page(self):
        self.assertEqual(self.reader.tags["svg"], self.reader.tags["figure"])
        roles = [a for a in self.reader.attributes if a == ("svg", "role", "img")]
        self.assertEqual(len(roles), self.reader.tags["svg"])
        self.assertIn("currentColor", self.made)

    def test_words_of_others_stay_words(self):
        self.assertNotIn("<script", self.made)
        self.assertNotIn("short <b>", self.made)
        self.assertIn("<script>alert(1)</script> & more", "".join(self.reader.said))

    def test_the_answer_comes_first(self):
        self.assertLess(self.made.index('id="answer"'), self.made.index("<table"))
        self.assertLess(self.made.index("0.50 ["), self.made.index("<table"))


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class Style(unittest.TestCase):
    def palettes(self):
        return [dict(re.findall(r"--(\w+): (#\w{6})", body))
                for body in re.findall(r":root \{(.*?)\}", page.STYLE.read_text(), re.S)]

    def test_text_has_the_contrast_that_wcag_asks_for_in_every_palette(self):
        palettes = self.palettes()
        self.assertEqual(len(palettes), 3)  # light, dark, paper
        for palette in palettes:
            for ground in ("ground", "tint"):
                for name in ("ink", "soft", "better", "worse", "open", "link", "words"):
                    self.assertGreaterEqual(contrast(palette[name], palette[ground]), 4.5,
                                            (name, ground))

    def test_chart_colours_have_three_to_one_in_the_light_and_in_the_dark(self):
        grounds = [palette["ground"] for palette in self.palettes()]
        for colour in charts.canvas.COLOURS + (charts.canvas.GREY,):
            for ground in grounds:
                self.assertGreaterEqual(contrast(colour, ground), 3, (colour, ground))


class Written(unittest.TestCase):
    def test_a_page_without_data_still_says_so(self):
        made = made_of(support.made_up_session(blocks=0))
        self.assertIn("Without data, and so not drawn", made)


if __name__ == "__main__":
    unittest.main()
