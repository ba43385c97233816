"""Parameters of a notebook: what its cell and papermill bind, and nothing that is there anyway."""

import pytest

from deeplab.runs.config import PARAMETERS
from deeplab.runs.given import given_values

CELL = 'row_id: str = "voc_r50_d8"  # a row\nseed: int = 0\nmax_steps: int = None\n'
CHECK = "config = RunConfig.of(**given_parameters(globals()))"
LATER = "facts = {}\nnumber = 3\nfor step in range(3): pass"


def given(cells, **names):
    """The names given in a kernel that has run `cells`, and where start-up files bound `names`."""
    space = dict(names)
    for cell in cells:
        try:
            exec(cell, space)
        except Exception:  # a check that refuses, or a magic
            pass
    found = given_values(space | {"In": ["", *cells]}, PARAMETERS)
    assert all(space[name] == value for name, value in found.items())
    return set(found)


PLAIN = {"row_id", "seed", "max_steps"}


@pytest.mark.parametrize("cells, names", [
    ([CELL, CHECK], PLAIN),
    ([CELL, "# Parameters\nworkers = 2\n", CHECK], PLAIN | {"workers"}),
    ([CELL, CHECK, LATER, CELL, CHECK], PLAIN),  # "Run All" twice
    (["%matplotlib inline", CELL, "x = 5", CHECK], PLAIN),  # a cell of one's own between
    ([CELL, "# Parameters\nsed = 2\n", CHECK], PLAIN | {"sed"}),  # a slip, to be refused
    ([CELL, "# Parameters\nsed = 2\n", CHECK, CHECK], PLAIN | {"sed"}),  # asked again: still
    ([CELL + "sed = 3", CHECK, LATER], PLAIN | {"sed"}),
    ([CELL + "sed = 3", CHECK, LATER, CELL, CHECK], PLAIN),  # corrected, and run again
    ([CELL, "# Parameters\nseed = 3\n", CHECK, "# Parameters\nseed = 4\n", CHECK], PLAIN)])
def test_names_count_that_the_cells_of_parameters_bind(cells, names):
    assert given(cells) == names


def test_what_startup_files_bind_is_no_parameter():
    assert given([CELL, CHECK], numpy_style="x", max_step=5, workers=3) == PLAIN


def test_outside_ipython_the_known_names_count():
    names = {"row_id": "voc_r50_d8", "anything": 1, "seed": 2}
    assert given_values(names, PARAMETERS) == {"row_id": "voc_r50_d8", "seed": 2}
