"""Make the course a static site: `python notebooks/site/build.py`, which `make site` runs.

Pages are copied to build/site/pages as they lie in the project, so that their links hold, and
Sphinx makes build/site/html of them (see `conf.py`). A warning is an error. Nothing is executed
and nothing is fetched.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SITE = Path(__file__).resolve().parent
PROJECT = SITE.parents[1]
sys.path.insert(0, str(SITE))

COPIED = ("notebooks/*.ipynb", "notebooks/*.md", "notebooks/solutions/*.ipynb", "data/README.md",
          "results/README.md", "results/example/table.md", "results/example/figures/*.png",
          "results/example/paper/page.md", "results/example/paper/figures/*.png")
EXECUTED = "results/example/{}.ipynb"  # of the committed demo run, shown instead of the blank one
PAPER = Path("results/example/paper/index.md")
FIGURES = {  # of committed results: heading and alternative text, in the order of a page
    "effects": ("What each ingredient is worth", "The paper's difference and that of the demo with "
                "its interval, a line for each ingredient"),
    "order": ("Order", "Published mIoU beside that of the demo, by output stride, a panel per "
              "label set"),
    "cost": ("Cost", "mIoU over multiply-adds of one crop, one line per label set"),
    "curves": ("Curves", "Loss and mIoU over the steps, a panel per row"),
    "classes-voc": ("PASCAL VOC, class by class", "IoU of each VOC class in its rows"),
    "classes-ade20k": ("ADE20K, class by class", "IoU of each ADE20K class in its rows"),
    "classes-cityscapes": ("Cityscapes, class by class",
                           "IoU of each Cityscapes class in its rows"),
    "classes-context": ("PASCAL Context, 60 classes",
                        "IoU of each Context class with the background, in its rows"),
    "classes-context59": ("PASCAL Context, 59 classes",
                          "IoU of each Context class without the background, in its rows")}
DATA = '<script id="data" type="application/json">{}</script>'  # of deeplab.course.explorer_page
PLACE = "<!-- explorer -->\n"


def stage(pages):
    """Copy everything that becomes a page or a picture to the folder `pages`."""
    from keep import kept
    from method_pages import pages as method
    from notebook_pages import with_installation
    shutil.rmtree(pages, ignore_errors=True)
    for pattern in COPIED:
        for path in sorted(PROJECT.glob(pattern)):
            _copy(path, pages / path.relative_to(PROJECT))
    for name in ("row", "report", "paper"):
        executed = PROJECT / EXECUTED.format(name)
        if executed.is_file():  # kept once more: an earlier `make example` left more in it
            _write(pages / f"notebooks/{name}.ipynb",
                   json.dumps(kept(json.loads(executed.read_text("utf-8")))))
    repository = os.environ.get("DEEPLAB_REPOSITORY")
    for path in (pages / "notebooks").rglob("*.ipynb") if repository else ():
        notebook = with_installation(json.loads(path.read_text("utf-8")), repository)
        _write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    for path in sorted((SITE / "pages").rglob("*.md")):
        name = path.relative_to(SITE / "pages")
        if name == PAPER and not (pages / name.with_name("page.md")).exists():
            continue
        if not (pages / name).with_suffix(".ipynb").exists() and not (pages / name).exists():
            words = path.read_text("utf-8").replace("@lessons@", lesson_table())
            words = words.replace("@others@", "\n".join(other_pages()))
            words = words.replace("@paper@", paper_page(pages))
            words = words.replace("@figures@", figures((pages / name).parent))
            _write(pages / name, words.replace(f"@{path.stem}@", explorer_of(path)))
    _copy(SITE / "pages/opening.png", pages / "opening.png")
    for name, words in method(PROJECT / "deeplab").items():
        _write(pages / "method" / name, words)


def lesson_table():
    """A line of Markdown for each lesson: its title, and the question that it begins with."""
    lines = ["| lesson | question |", "|:--|:--|"]
    lessons = sorted((PROJECT / "notebooks").glob("[0-9]*.ipynb"))
    lessons.insert(6, PROJECT / "notebooks/going_deeper.ipynb")  # read after lesson 5
    for path in lessons:
        first = "".join(json.loads(path.read_text("utf-8"))["cells"][0]["source"])
        title, _, question = first.strip().partition("\n\n")
        lines.append(f"| [{title.removeprefix('# ')}](notebooks/{path.name}) "
                     f"| {question.split('**')[1] if '**' in question else ''} |")
    return "\n".join(lines)


def other_pages():
    """The pages beside the numbered lessons, without those that `index.md` names itself."""
    named = {"row", "report", "paper", "glossary"}
    found = {path.stem for kind in ("ipynb", "md")
             for path in (PROJECT / "notebooks").glob(f"[!0-9]*.{kind}")}
    return [f"notebooks/{name}" for name in sorted(found - named)]


def paper_page(pages):
    """The page of the paper's tables for a list of pages, where their results are committed."""
    return PAPER.with_suffix("").as_posix() * (pages / PAPER.with_name("page.md")).exists()


def figures(folder):
    """The figures of committed results in Markdown, each below its heading; some may be missing."""
    return "\n\n".join(f"## {heading}\n\n![{alt}](figures/{stem}.png)"
                       for stem, (heading, alt) in FIGURES.items()
                       if (folder / f"figures/{stem}.png").exists())


def explorer_of(path):
    """The explorer that the page at `path` is about, as Markdown; nothing for other pages."""
    from notebook_pages import TITLES, explorer
    return explorer(path.stem, up="../") if path.stem in TITLES else ""


def copy_explorers(folder):
    """The explorers' scripts and pictures, and the numbers of each as a script of its own.

    A page that was opened from a disk may not read JSON files, but may run scripts.
    """
    for path in sorted((SITE / "explorers").glob("*.*")):
        if path.suffix == ".json" and path.stem != "overlay":
            content = json.dumps(json.loads(path.read_text("utf-8")), separators=(",", ":"))
            _write(folder / f"{path.stem}-data.js",
                   f'(window.explorerData ??= {{}})["{path.stem}"] = {content};\n')
        elif path.suffix in (".js", ".png"):
            _copy(path, folder / path.name)
    course = PROJECT / "deeplab/course"
    page, own = course / "explorer.html", course / "start/overlay.html"
    content = json.loads((SITE / "explorers/overlay.json").read_text("utf-8"))
    data = json.dumps(content).replace("<", "\\u003c")
    _write(folder / "overlay.html", page.read_text("utf-8").replace(
        PLACE, own.read_text("utf-8")).replace(DATA, DATA.replace("{}", data)))


def main():
    """Build the site; the exit code of Sphinx."""
    start = time.perf_counter()
    folder = PROJECT / "build/site"
    pages, html = folder / "pages", folder / "html"
    stage(pages)
    shutil.rmtree(html, ignore_errors=True)
    copy_explorers(html / "_static/explorers")
    code = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html", "-j", "2",
         "-c", str(SITE), "-d", str(folder / "cache"), str(pages), str(html)],
        env={**os.environ, "DEEPLAB_SITE": str(SITE)}).returncode
    if code == 0:
        size = sum(path.stat().st_size for path in html.rglob("*") if path.is_file()) / 1e6
        print(f"{html.relative_to(PROJECT)}/index.html: {len([*html.rglob('*.html')])} pages, "
              f"{size:.1f} MB, {time.perf_counter() - start:.0f} s")
    return code


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(path, words):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
