"""What every page is held to: no rule of accessibility broken, and fit for a phone."""

from playwright.sync_api import expect


#: Of what is right nothing is told: of a long list that would be a lot.
ALL = {"resultTypes": ["violations"]}
#: In the dark nothing but colours is another.
COLOURS = ["color-contrast", "link-in-text-block"]
DARK = {**ALL, "runOnly": {"type": "rule", "values": COLOURS}}
#: Colours are those of the wide page, and take most of the time.
NARROW = {**ALL, "rules": {one: {"enabled": False} for one in COLOURS}}

#: What listens for a change of size hears of it with the next frame.
NEXT_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def violations(page, axe, options):
    """What axe finds in the page, into which it is put once."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe.axe_script)
    return page.evaluate("async (options) => (await axe.run(options)).violations", options)


def check(test, page, axe, name, options):
    """Looks for violations of WCAG AA."""
    # A page that changes while it is looked at may be seen half of before and half of after.
    found = violations(page, axe, options) and violations(page, axe, options)
    broken = [(one["id"], [(node["target"], node["failureSummary"]) for node in one["nodes"]][:3]) for one in found]
    test.assertEqual(broken, [], name)


def look(test, page, axe, picture):
    """Looks for violations of WCAG AA, and takes pictures: light, dark and as narrow as a phone."""
    name = picture.name
    for theme, options in (("light", ALL), ("dark", DARK)):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        check(test, page, axe, f"{name}, {theme}", options)
        # Below the window a dialog darkens nothing.
        page.screenshot(path=picture.with_name(f"{name}-{theme}.png"), full_page=page.locator("dialog[open]").count() == 0)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(NEXT_FRAMES)
    test.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 390, f"{name} on a phone")
    check(test, page, axe, f"{name} on a phone", NARROW)
    page.screenshot(path=picture.with_name(f"{name}-phone.png"))
    page.set_viewport_size({"width": 1360, "height": 850})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate(NEXT_FRAMES)
