"""A task beside the block: one at a time, and what it raises is raised where it is looked for."""

import threading

import pytest

from deeplab.support.background import Background
from deeplab.support.errors import DivergedError, ResourceError, Stopped


def fails():
    raise ResourceError("E-DISK full")


def test_a_task_runs_beside_the_block_and_ends_with_it():
    go, done = threading.Event(), []
    with Background() as background:
        background.start(lambda: (go.wait(10), done.append(1)))
        assert not done
        go.set()
    assert done == [1]


def test_a_second_task_waits_for_the_first():
    order, go = [], threading.Event()
    with Background() as background:
        background.start(lambda: (go.wait(10), order.append(1)))
        threading.Timer(0.05, go.set).start()
        background.start(lambda: order.append(2))
    assert order == [1, 2]


@pytest.mark.parametrize("look", [lambda background: background.start(fails),
                                  lambda background: background.wait()])
def test_an_error_is_raised_at_the_next_look_and_once(look):
    with pytest.raises(ResourceError, match="E-DISK"), Background() as background:
        background.start(fails)
        look(background)
        pytest.fail("the error was lost")


@pytest.mark.parametrize("ends, raised", [
    (None, ResourceError), (Stopped("stopped"), ResourceError),
    (DivergedError("nan"), DivergedError)])
def test_at_the_end_the_error_of_the_block_counts_but_for_a_stop(ends, raised):
    with pytest.raises(raised), Background() as background:
        background.start(fails)
        if ends is not None:
            raise ends
