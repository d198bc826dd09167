"""What cells put out, and texts: formulas and charts, in real Chromium.

The settings are those of test_page.py.
"""

import json
import pathlib
import re
import unittest

from harbour import PICTURES, Stage, dismiss, eventually
from looks import look
from playwright.sync_api import expect

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def setUpModule():
    global stage, platform
    stage = Stage()
    platform = stage.platform


def code(name, source, outputs=(), **metadata):
    return {"cell_type": "code", "id": name, "metadata": metadata, "source": source, "execution_count": None,
            "outputs": list(outputs)}


def text(name, source):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def shown(**data):
    """An output, by its media types with an underscore for the slash."""
    return {"output_type": "display_data", "metadata": {}, "data": {name.replace("_", "/", 1): value for name, value in data.items()}}


FORMULAS = r"""# Waves of $\psi$

It costs $5 here and $6 there, and \$7\$ elsewhere; `$code$` is code.

Inline $a_1 * b_1 * c$, \(\sqrt{x}\) and \\(c = \\pm d\\), with **words $|x|$ around**.

$$
\int_0^1 x^2\,dx
= \frac{1}{3}
$$

\[
E = mc^2
\]

- in a list $e^{i\pi} = -1$

\begin{align}
a &= b + c \\
d &= e
\end{align}

Wrong: $\frac{1$ and never a link: \(\href{https://example.org/}{x}\) or a style $\htmlStyle{color: red}{y}$.

$$\text{a line that is wider than a phone } a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t$$

```
$not$
```
"""


def table(columns, rows, **more):
    value = {"columns": [{"name": name, "type": type} for name, type in columns], "rows": rows, "truncated": False, "total_rows": len(rows)}
    return {"output_type": "display_data", "metadata": {},
            "data": {"application/vnd.dataharbour.table+json": {**value, **more}, "text/plain": "a table"}}


class OutputsTests(unittest.TestCase):
    def setUp(self):
        self.said, self.contexts = [], []

    def tearDown(self):
        if self._outcome.result.failures or self._outcome.result.errors:
            for number, context in enumerate(self.contexts):
                for page in context.pages:
                    page.screenshot(path=PICTURES / f"failed-{self._testMethodName}-{number}.png")
        for context in self.contexts:
            context.close()
        self.assertEqual(self.said, [])

    def notebook(self, name, cells):
        """Puts a notebook into the workspace and opens it; its id and the page."""
        path = f"/Shared/{name}"
        return platform.notebook_of(path, cells), self.open(path)

    def open(self, path, **more):
        context = stage.new_context(**more)
        self.contexts.append(context)
        page = stage.new_page(context, self.said)
        stage.sign_in(page, f"/workspace{path}")
        expect(page.locator(".cell").first).to_be_visible()
        return page

    def test_formulas_are_drawn(self):
        latex = "$\\displaystyle \\frac{d}{dx} x^{2} = 2 x$"
        cells = [
            text("t0", FORMULAS),
            code("c1", "diff(x**2)", [shown(text_latex=latex, text_plain="2*x")]),
            code("c2", "table", [shown(text_markdown="| a | b |\n|---|---|\n| $|x|$ | two |")]),
            text("t3", "No formula, and $3."),
        ]
        _, page = self.notebook("formulas", cells)
        words = page.locator("#cell-t0 .md")
        expect(words.locator(".katex")).to_have_count(12)
        expect(words.locator(".katex-display")).to_have_count(4)
        # Nothing of a formula is read as markdown, and what is none stays.
        expect(words).to_contain_text("It costs $5 here and $6 there, and $7$ elsewhere; $code$ is code.")
        expect(words.locator("pre")).to_have_text("$not$")
        expect(words.locator("em")).to_have_count(0)
        expect(words.locator("strong .katex")).to_have_count(1)
        expect(words.locator("math mo").filter(has_text="±")).to_have_count(1)
        expect(words.locator("li math")).to_have_count(1)
        expect(words.locator(".eqn-num")).to_have_count(2)
        # Its fonts are there, and no formula gets at addresses or styles.
        eventually("its fonts are there", lambda: page.evaluate("document.fonts.check('16px KaTeX_Main')"))
        expect(words.locator("a")).to_have_count(0)
        expect(words.locator("[style*=red]")).to_have_count(0)
        wrong = words.locator(".formula-source.wrong")
        expect(wrong).to_have_count(1)
        expect(wrong).to_contain_text("$\\frac{1$")
        self.assertIn("expected", wrong.get_attribute("title").lower())
        # What others read of it is the formula in MathML.
        expect(page.locator("#cell-c1 .outputs math mfrac")).to_have_count(1)
        expect(page.locator("#cell-c2 .outputs td").first.locator(".katex")).to_have_count(1)
        expect(page.locator("#cell-t3")).to_contain_text("No formula, and $3.")
        dismiss(page)
        look(self, page, stage.axe, PICTURES / "notebook-formulas")

    def test_no_formula_asks_for_nothing(self):
        before = len(stage.asked)
        _, page = self.notebook("prices", [text("t0", "It costs $5, not $6. An [address](https://example.org/$a$)."), code("c1", "x")])
        expect(page.locator("#cell-t0 .md")).to_contain_text("$5, not $6")
        expect(page.locator("#cell-t0 .md a")).to_have_attribute("href", "https://example.org/$a$")
        self.assertEqual([one for one in stage.asked[before:] if "katex" in one.lower()], [])

    def chart(self, page, cell, **chosen):
        """The chart of a cell, with what is chosen in its fields."""
        chart = page.locator(f"#cell-{cell} .chart")
        fields = {"kind": "Kind of chart", "made": "What is made of several rows", "of": "of", "by": "by", "colour": "a colour for each"}
        for name, value in chosen.items():
            chart.get_by_label(fields[name], exact=True).select_option(label=value)
        return chart

    def values(self, chart):
        """The values of a chart, as whoever does not see it has them."""
        if chart.locator("details[open]").count() == 0:
            chart.get_by_text("The values as a table").click()
            expect(chart.locator("tbody tr").first).to_be_visible()
        return [row.split("\t") for row in chart.locator("tbody tr").all_inner_texts()]

    def test_tables_are_charted(self):
        days = [[f"2026-01-{day:02}", city, day * times, str(day / 2)] for day in range(1, 31) for city, times in (("Bonn", 1), ("Köln", 2))]
        columns = [("day", "date"), ("city", "string"), ("sold", "bigint"), ("paid", "decimal(10,2)")]
        waves = [[float(place), 100.0 if place == 2345 else float(place % 7)] for place in range(5000)]
        number, page = self.notebook("charts", [
            code("c0", "sales", [table(columns, days, truncated=True, total_rows=None)]),
            code("c1", "waves", [table([("x", "double"), ("y", "double")], waves)])])
        page.locator("#cell-c0").get_by_role("button", name="Chart").click()
        # Along the time, without any choice; what comes together is summed.
        chart = self.chart(page, "c0")
        picture = chart.get_by_role("img")
        expect(picture).to_have_accessible_name("sum of sold by day. 30 values from 3 to 90.")
        expect(chart).to_contain_text("the whole has more")
        dismiss(page)
        self.chart(page, "c0", colour="city")
        expect(chart.locator(".legend li")).to_have_text(["Bonn", "Köln"])
        chart.get_by_label("and", exact=True).select_option(label="paid")
        expect(chart.locator(".legend li")).to_have_text(["Bonn, sold", "Bonn, paid", "Köln, sold", "Köln, paid"])
        picture.hover(position={"x": 300, "y": 150})
        expect(chart.locator(".chart-tip")).to_contain_text("2026-01-")
        look(self, page, stage.axe, PICTURES / "notebook-chart-lines")
        self.chart(page, "c0", kind="Bars", by="city", colour="none", made="mean")
        self.assertEqual(self.values(chart), [["Bonn", "sold", "15.5"], ["Köln", "sold", "31"], ["Bonn", "paid", "7.75"], ["Köln", "paid", "7.75"]])
        page.screenshot(path=PICTURES / "notebook-chart-bars.png", full_page=True)
        self.chart(page, "c0", made="number of rows")
        expect(picture).to_have_accessible_name("number of rows by city. 2 values from 30 to 30.")
        self.chart(page, "c0", kind="Pie", made="highest")
        self.assertEqual(self.values(chart), [["Köln", "60"], ["Bonn", "30"]])
        look(self, page, stage.axe, PICTURES / "notebook-chart-pie")
        self.chart(page, "c0", kind="Histogram", colour="city")
        self.assertEqual(sum(int(row[-1]) for row in self.values(chart)), 60)
        expect(picture).to_have_accessible_name(re.compile("How often sold has which values, a colour for each city"))
        self.chart(page, "c0", kind="Areas", by="day", made="sum")
        expect(chart.locator(".chart-area")).to_have_count(4)
        # Filtered like the table.
        page.locator("#cell-c0").get_by_placeholder("Filter").fill("Köln")
        expect(chart.locator(".chart-area")).to_have_count(2)
        # Thousands of points: all rows count, and no peak is lost where not all are drawn.
        page.locator("#cell-c1").get_by_role("button", name="Chart").click()
        waved = self.chart(page, "c1", kind="Lines", of="y", by="x")
        expect(waved.get_by_role("img")).to_have_accessible_name(re.compile(r"sum of y by x\. [12],\d{3} values from 0 to 100\."))
        self.assertLess(len(waved.locator("path.line").get_attribute("d")), 60000)
        self.chart(page, "c1", kind="Dots")
        expect(waved.get_by_role("img")).to_have_accessible_name("y by x. 5,000 values from 0 to 100.")
        page.screenshot(path=PICTURES / "notebook-chart-dots.png", full_page=True)
        # It is the notebook's: kept in the cell, for others and after a reload.
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        kept = lambda: [cell["metadata"].get("dataharbour", {}).get("charts") for cell in
                        platform.call("GET", f"/api/v1/notebooks/{number}")["document"]["cells"]]
        eventually("the choice is saved", lambda: kept() == [
            {"0": {"kind": "area", "x": "day", "y": ["sold", "paid"], "group": "city", "aggregate": "sum"}},
            {"0": {"kind": "scatter", "x": "x", "y": ["y"], "aggregate": "sum"}}])
        page.reload()
        expect(chart.locator(".chart-area")).to_have_count(4)
        page.locator("#cell-c0").get_by_role("button", name="Table").click()
        expect(page.locator("#cell-c0 .data-table")).to_be_visible()
        eventually("a table is nothing to keep", lambda: kept()[0] is None)

    def test_what_is_not_there_comes_last(self):
        """Whichever way a column is sorted; and rows that are equal stay in their order."""
        rows = [["a", 2], ["b", None], ["c", 10], ["d", 2], ["e", None], ["f", 1]]
        _, page = self.notebook("sorted", [code("c0", "x", [table([("name", "string"), ("value", "bigint")], rows)])])
        cells = page.locator("#cell-c0 .data-table tbody td:first-child")
        for direction, wanted in (("ascending", "fadcbe"), ("descending", "cadfbe"), ("none", "abcdef")):
            page.locator("#cell-c0").get_by_role("button", name="value", exact=True).click()
            expect(page.locator("#cell-c0 th").nth(1)).to_have_attribute("aria-sort", direction)
            expect(cells).to_have_text(list(wanted))

    def test_errors_are_folded_to_the_users_lines(self):
        """Those of cells and of the user's own files, also of the errors that led to one; none of a library."""
        errors = json.loads((pathlib.Path(__file__).parent / "tracebacks.json").read_text())
        cells = [code(f"c{number}", "share(df)", [error]) for number, error in enumerate(errors)]
        _, page = self.notebook("errors", cells)
        own = lambda cell: page.locator(f"#cell-{cell} .traceback-own")
        expect(own("c0")).to_have_text("Cell In[2], line 1 ----> 1 df['missing']")
        expect(own("c0").get_by_role("button")).to_have_text(["Cell In[2], line 1"])
        self.assertEqual(own("c1").inner_text().strip().split("\n"), [
            "Cell In[3], line 4", "----> 4     raise ValueError('no such column') from error", "Caused by KeyError: 'missing'",
            "Cell In[3], line 2", "----> 2     helpers.share(df)",
            "File /home/ada/project/helpers.py:3, in share(df)", "----> 3     return df['missing']"])
        # All of it is there for whoever wants it.
        page.locator("#cell-c0").get_by_role("button", name="Traceback").click()
        expect(page.locator("#cell-c0 .traceback")).to_contain_text("pandas/core/indexes/base.py:3812")

    def test_nothing_is_hidden_from_fingers(self):
        """What is there when one points at it is there from the beginning where there is nothing to point with."""
        hidden = [".insert >> nth=1", "#cell-c1 .picture .button"]
        for is_phone, opacity in ((True, "1"), (False, "0")):
            path = f"/Shared/pointed-{opacity}"
            platform.notebook_of(path, [code("c0", "1"), code("c1", "2", [shown(image_png=PIXEL, text_plain="a picture")])])
            size = {"viewport": {"width": 390, "height": 844}} if is_phone else {}
            page = self.open(path, has_touch=is_phone, is_mobile=is_phone, **size)
            self.assertEqual(page.evaluate("matchMedia('(hover: none)').matches"), is_phone)
            for one in hidden:
                expect(page.locator(one)).to_have_css("opacity", opacity)
            if not is_phone:
                continue
            # Also where the tools of a cell are beside it.
            page.locator("#cell-c1 .cell-source").tap()
            expect(page.locator("#cell-c1 .cell-tools")).to_be_visible()
            page.screenshot(path=PICTURES / "notebook-touched.png")
            page.locator(hidden[0]).get_by_role("button", name="+ Text").tap()
            expect(page.locator(".cell")).to_have_count(3)
            expect(page.locator(".cell").nth(1)).to_have_class(re.compile("markdown"))

    def test_what_takes_its_time_is_told(self):
        """Saving a notebook as a file: until it is there, or has failed."""
        _, page = self.notebook("large", [code("c0", "1")])
        held = []
        page.route(re.compile(r"/api/v1/workspace/export\?"), lambda route: held.append(route))
        told = page.get_by_text("Preparing large.ipynb…")

        def ask():
            page.get_by_role("button", name="More").first.click()
            page.get_by_role("menuitem", name="Save as .ipynb").click()
            expect(told).to_be_visible()
            eventually("it is asked for", lambda: page.evaluate("true") and held)

        ask()
        with page.expect_download() as download:
            held.pop().continue_()
        self.assertEqual(download.value.suggested_filename, "large.ipynb")
        expect(told).to_have_count(0)
        ask()
        held.pop().fulfill(status=500, json={"error_code": "INTERNAL_ERROR", "message": "The disk is full."})
        expect(page.get_by_text("The disk is full.")).to_be_visible()
        expect(told).to_have_count(0)

    def test_another_page_has_the_keyboard(self):
        """Who goes on with the keyboard, or hears a page, is in it; and in a notebook, at its cell."""
        platform.call("POST", "/api/v1/workspace/mkdirs", {"path": "/Shared/walk/inner"})
        platform.notebook_of("/Shared/walk/inner/notes", [code("c0", "1"), code("c1", "2")])
        page = self.open("/Shared/walk/inner/notes")
        heading, content = page.locator("h1"), page.locator("#content")

        def go(link, name):
            link.focus()
            page.keyboard.press("Enter")
            expect(heading).to_have_text(name)

        areas = page.get_by_role("navigation", name="Areas")
        go(areas.get_by_role("link", name="Workspace"), "Workspace")
        expect(content).to_be_focused()
        page.keyboard.press("Tab")
        self.assertTrue(page.evaluate("document.querySelector('#content').contains(document.activeElement) && document.activeElement.id !== 'content'"))
        for name in ("Shared", "walk", "inner"):
            go(content.get_by_role("cell").get_by_role("link", name=name, exact=True), name)
            expect(content).to_be_focused()
        go(content.get_by_role("cell").get_by_role("link", name="notes", exact=True), "notes")
        expect(page.locator("#cell-c0")).to_be_focused()
        page.keyboard.press("j")
        expect(page.locator("#cell-c1")).to_be_focused()
        page.go_back()
        expect(heading).to_have_text("inner")
        expect(content).to_be_focused()
        # What is another part of the same page leaves it where it is.
        go(areas.get_by_role("link", name="Settings"), "Settings")
        expect(content).to_be_focused()
        page.get_by_role("tab", name="Account").focus()
        page.keyboard.press("ArrowRight")
        tab = page.get_by_role("tab", name="Tokens")
        expect(tab).to_be_focused()
        expect(page.get_by_role("tabpanel", name="Tokens")).to_contain_text("New token")
        expect(page.get_by_role("tabpanel")).to_have_id(tab.get_attribute("aria-controls"))
        look(self, page, stage.axe, PICTURES / "settings-tokens")

    def test_a_part_of_a_table_is_saved_as_a_part(self):
        """The button and the name of the file say that it is not all."""
        rows = [[number, "odd" if number % 2 else "even"] for number in range(1000)]
        columns = [("id", "bigint"), ("kind", "string")]
        _, page = self.notebook("parts", [
            code("c0", "large", [table(columns, rows, truncated=True, total_rows=None)]), code("c1", "small", [table(columns, rows[:3])])])

        def saved(cell, button):
            with page.expect_download() as download:
                page.locator(f"#cell-{cell}").get_by_role("button", name=button, exact=True).click()
            return download.value.suggested_filename, len(pathlib.Path(download.value.path()).read_text().splitlines()) - 1

        self.assertEqual(saved("c0", "CSV of these 1,000 rows"), ("parts-1-first-1000.csv", 1000))
        self.assertEqual(saved("c1", "CSV"), ("parts-2.csv", 3))
        for cell in ("c0", "c1"):
            page.locator(f"#cell-{cell}").get_by_placeholder("Filter").fill("odd")
        self.assertEqual(saved("c0", "CSV of these 500 rows"), ("parts-1-first-1000-filtered.csv", 500))
        self.assertEqual(saved("c1", "CSV of this row"), ("parts-2-filtered.csv", 1))

    def test_what_is_the_same_but_for_rounding_is_charted(self):
        rows = [[0.3, 0.1], [0.30000000000000004, 0.10000000000000002], [0.3, 0.1]]
        _, page = self.notebook("rounded", [code("c0", "x", [table([("x", "double"), ("y", "double")], rows)])])
        page.locator("#cell-c0").get_by_role("button", name="Chart").click()
        for kind in ("Lines", "Dots", "Histogram"):
            chart = self.chart(page, "c0", kind=kind)
            expect(chart.get_by_role("img")).to_be_visible()
            self.assertGreater(len(self.values(chart)), 0)


if __name__ == "__main__":
    unittest.main()
