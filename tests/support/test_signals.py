"""The one way in which signals are caught: everything is as before when the block ends."""

import os
import signal
import subprocess
import sys
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


def test_a_signal_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


KERNEL = """
import os, sys, time
from deeplab.support.signals import die_with_parent
from deeplab.training.signals import StopRequest
with StopRequest() as stop:
    die_with_parent()
    print("begun", flush=True)
    while not stop.requested:
        time.sleep(0.02)
print("saved", flush=True)
"""
STARTER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]],
                         env=os.environ | {sys.argv[2]: str(os.getpid())})
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process of its parent's end")
@pytest.mark.parametrize(("variable", "said"), [("JPY_PARENT_PID", "begun\nsaved\n"),
                                                ("DEEPLAB_PARENT", "begun\n")])
def test_a_killed_papermill_asks_its_kernel_to_save_and_a_killed_runner_ends_it(variable, said):
    starter = subprocess.Popen([sys.executable, "-c", STARTER, KERNEL, variable],
                               stdout=subprocess.PIPE, text=True)
    begun = starter.stdout.readline()
    starter.kill()
    assert begun + starter.stdout.read() == said  # the end of the pipe is the end of both
    starter.wait()
