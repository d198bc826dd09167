"""What cells put out, and texts: formulas, in real Chromium.

The settings are those of test_page.py.
"""

import base64
import json
import unittest

from harbour import PICTURES, Stage, dismiss
from looks import look
from playwright.sync_api import expect


def setUpModule():
    global stage, platform
    stage = Stage(seconds=30)
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
        document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path = f"/Shared/{name}"
        made = platform.call("POST", "/api/v1/workspace/import", {
            "path": path, "content": base64.b64encode(json.dumps(document).encode()).decode(), "format": "JUPYTER"})["object_id"]
        return made, self.open(path)

    def open(self, path):
        context = stage.new_context(reduced_motion="reduce")
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
        page.evaluate("document.fonts.ready")
        self.assertTrue(page.evaluate("document.fonts.check('16px KaTeX_Main')"))
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


if __name__ == "__main__":
    unittest.main()
