"""What the README promises is there: the table of the committed run, commands, files."""

import re
from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.table.rows import load_rows

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
EXAMPLE = PROJECT / "results" / "example"
LEAST = {"ade20k": 20, "voc": 30, "cityscapes": 30, "context": 30, "context59": 30}  # mIoU


def test_its_table_is_that_of_the_committed_run():
    table = (EXAMPLE / "table.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(load_rows())
    assert "\n".join(rows) in README


def test_the_committed_run_is_whole_and_as_good_as_is_promised():
    table = pd.read_csv(EXAMPLE / "table.csv").set_index("row_id")
    assert list(table.index) == list(load_rows())
    assert table.complete.all() and not table.dirty.any() and table.commit.nunique() == 1
    assert (table.miou >= table.dataset.map(LEAST)).all()
    finer = [row_id for row_id in table.index
             if row_id.endswith("_d8") and row_id.replace("_d8", "_d16") in table.index]
    better = [table.miou[row_id] > table.miou[row_id.replace("_d8", "_d16")] for row_id in finer]
    assert len(better) == 6 and sum(better) >= 5


def test_its_pictures_and_files_exist():
    files = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`((?:data|notebooks|results)/[\w./]+)`",
                                                                README)
    assert any(file.endswith(".png") for file in files)
    made = {"results/demo/report.html"}  # by `make table`
    assert not [file for file in files if file not in made and not (PROJECT / file).exists()]


def test_its_commands_and_options_are_understood():
    lines = [line.partition("#")[0].split()
             for line in re.findall(r"^deeplab .+$", README, flags=re.M)]
    assert len(lines) >= 6
    for words in lines:
        depth = 3 if words[1] in ("data", "weights") else 2
        result = CliRunner().invoke(main, [*words[1:depth], "--help"])
        assert result.exit_code == 0, words
        for option in words[depth:]:
            assert not option.startswith("--") or option in result.output, words


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"@\w+@|TODO|TBD", README)
