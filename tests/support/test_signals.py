"""The one way in which signals are caught: everything is as before when the block ends."""

import os
import signal
import threading

import pytest

from deeplab.runs.batch import interruptible
from deeplab.support.signals import SIGNALS, signal_handler
from deeplab.training.signals import StopRequest


def handlers():
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize("context", [StopRequest, interruptible,
                                     lambda: signal_handler(lambda number, frame: None)])
def test_the_earlier_handlers_return(context):
    before = handlers()
    with pytest.raises(RuntimeError), context():
        assert all(now != then for now, then in zip(handlers()[1:], before[1:], strict=True))
        raise RuntimeError
    assert handlers() == before


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_reaches_the_handler(number):
    seen = []
    with signal_handler(lambda number, frame: seen.append(number)):
        os.kill(os.getpid(), number)
    assert seen == [number]


def test_outside_the_main_thread_nothing_is_caught():
    before, seen = handlers(), []

    def work():
        with StopRequest() as stop:
            seen.append((handlers() == before, stop.requested))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(True, False)]
