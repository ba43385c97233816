"""What is asked of every page, of the site as of a report: no errors, no overflow, readable."""

from importlib.resources import files

WIDTHS = (400, 900, 1440)
AXE = """async rules => (await axe.run(
        {preload: false, resultTypes: ["violations"], ...rules})).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ` +
        one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | "))
"""
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# Takes out of a page what has been judged on another: blocks all of whose parts have tags, classes
# and surroundings that were seen. Contrast is judged piece by piece, and pages have thousands.
HIDE_SEEN = """([seen, blocks]) => {
    const known = new Set(seen), name = part => part.tagName + "." + part.getAttribute("class");
    const around = part => { const found = [];
        for (let up = part.parentElement; up; up = up.parentElement)
            if (up.className) found.push(name(up));
        return found.join(" "); };
    for (const box of document.querySelectorAll(blocks)) {
        const parts = [box, ...box.querySelectorAll("*")], place = around(box);
        const kinds = parts.map(part => place + " " + name(part));
        if (kinds.every(kind => known.has(kind))) box.style.display = "none";
        kinds.forEach(kind => known.add(kind));
    }
    return [...known];
}"""
REPEATED = "pre, .sidebar-drawer, .toc-drawer"  # beside these all is judged on every page
BLOCKS = REPEATED + ", p, li, tr, dt, summary"


class Watched:
    """A page whose console, requests and errors are noted in `wrong`."""

    def __init__(self, context):
        self.page, self.wrong = context.new_page(), []
        self.page.on("console", lambda line: line.type == "error" and self.note(line.text))
        self.page.on("pageerror", lambda error: self.note(str(error)))
        self.page.on("requestfailed", lambda request: self.note(f"not loaded: {request.url}"))
        self.page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:"))
                     or self.note(f"asks the network: {request.url}"))

    def note(self, words):
        """Remember what is wrong with the page."""
        self.wrong.append(words)

    def open(self, path):
        """Show the file at `path`."""
        self.page.goto(path.as_uri(), wait_until="load")

    def overflow(self, width):
        """How many pixels the page is wider than a screen of `width`."""
        self.page.set_viewport_size({"width": width, "height": 900})
        return max(0, self.page.evaluate("document.documentElement.scrollWidth") - width)

    def violations(self, seen):
        """axe-core's serious and critical findings by day, and those about contrast by night.

        `seen` holds a set for each of what needs no second look, and grows.
        """
        found = []
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        for scheme, blocks, rules in (("light", REPEATED, {}), ("dark", BLOCKS, CONTRAST)):
            self.page.emulate_media(color_scheme=scheme)
            known = seen.setdefault(scheme, set())
            known |= set(self.page.evaluate(HIDE_SEEN, [sorted(known), blocks]))
            found += [f"{scheme}: {line}" for line in self.page.evaluate(AXE, rules)]
        self.page.emulate_media(color_scheme="light")
        return found
