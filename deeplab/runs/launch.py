"""Several processes for one training: start them with torchrun, watch them, start them again.

`launch` runs in the process that wants the training, `process_group` in each of those that do it. A
dead or hanging rank ends the others; all are then started afresh and go on from the last
checkpoint. (Restarting single ranks in place, torchrun's own `--max-restarts`, hung or gave up
in two of five trials.)
"""

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from deeplab.runs.peak import report_memory
from deeplab.support import errors
from deeplab.support.errors import DeeplabError, ResourceError, Stopped, UsageError
from deeplab.support.files import open_output, read_json, write_json
from deeplab.support.machine import child_search_path
from deeplab.support.signals import PARENT, SIGNALS, die_with_parent
from deeplab.support.torch_errors import translate_torch_errors
from deeplab.training.checkpoint import Checkpoints
from deeplab.training.ranks import Ranks
from deeplab.training.signals import StopRequest

# a rank waits for another one; torchrun kills that one 30 s later. The first step of a GPU that
# tries its convolutions out takes minutes
RANK_TIMEOUT_SECONDS = {"cpu": 75, "cuda": 600}
TERMINATE_SECONDS = 15  # seconds between SIGTERM and SIGKILL when the launcher is asked to stop
STARTS_WITHOUT_PROGRESS = 3  # starts without a new checkpoint before giving up
POLL_SECONDS = 0.1  # between two looks at torchrun
LOST_RANK = ("gloo", "nccl", "connection closed by peer", "timed out")  # as PyTorch says it
AGENT_LOGGER = "torch.distributed.elastic.agent.server.api"
LAST_CHARACTERS = 1500  # characters of what the ranks printed, in a message


def launch(module: str, arguments: Sequence[str], *, processes: int, folder: Path, threads: int,
           say: Callable[[str], None] = print) -> None:
    """Run `python -m module arguments` in `processes` ranks, with `threads` threads each.

    The module trains below `folder` inside `process_group(folder)`. What the ranks print is kept in
    `ranks.log`; lines of the first rank about steps are said. Raises what a rank raises
    (`DivergedError`, `Stopped` ...), and `ResourceError` (E-RANK) if ranks die or hang three
    times without a new checkpoint.
    """
    checkpoints, failures = Checkpoints(folder / "checkpoints", {}), 0
    while failures < STARTS_WITHOUT_PROGRESS:
        reached = checkpoints.newest
        for report in folder.glob("rank-*.json"):
            report.unlink()
        code, is_asked = _run_ranks([module, *arguments], processes, folder, threads, say)
        for report in sorted(folder.glob("rank-*.json")):
            reason = read_json(report)
            raise getattr(errors, reason["kind"])(reason["text"])
        if code == 0:
            return
        if is_asked:
            raise Stopped.of("E-STOPPED", f"stopped as asked after step {checkpoints.newest}",
                             do="run the same command again: it goes on from here")
        failures = 0 if checkpoints.newest > reached else failures + 1
        say(f"a rank died or hung; going on from step {checkpoints.newest}")
    raise ResourceError.of(
        "E-RANK", f"the ranks ended {STARTS_WITHOUT_PROGRESS} times without a new checkpoint",
        file=folder, found="\n" + last_words(folder / "ranks.log"),
        expected=f"{processes} processes that live",
        do="read ranks.log; the same command goes on from the last checkpoint")


def last_words(log: Path) -> str:
    """What the ranks printed last, and how the first one ended, before torchrun's own account."""
    text = log.read_text(encoding="utf-8", errors="replace")
    first = re.search(r"failed \(exitcode: .*", text)
    return text[:first.end() if first else None][-LAST_CHARACTERS:]


def _run_ranks(command: list[str], processes: int, folder: Path, threads: int,
               say: Callable[[str], None]) -> tuple[int, bool]:
    """Run torchrun once: its exit code, and whether a signal asked to stop (passed on to it)."""
    environment = os.environ | {PARENT: str(os.getpid()), "OMP_NUM_THREADS": str(threads),
                                "PYTHONPATH": child_search_path()}
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        environment.pop(name, None)  # of a job that we are a part of ourselves
    log, is_told = folder / "ranks.log", False
    with StopRequest() as stop, open_output(log) as output, open(log, encoding="utf-8") as lines:
        agent = subprocess.Popen(
            [sys.executable, "-u", "-m", "deeplab.runs.launch", "--standalone",
             "--max-restarts", "0", "--nproc-per-node", str(processes), "-m", *command],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
            start_new_session=True)
        while agent.poll() is None:
            time.sleep(POLL_SECONDS)
            if stop.requested and not is_told:
                agent.terminate()
                is_told = True
            for line in lines:
                if line.startswith(("step ", "going on")):
                    say(line.rstrip())
    return agent.returncode, stop.requested


@contextlib.contextmanager
def process_group(folder: Path, *, device: str = "cpu",
                  timeout: float | None = None) -> Iterator[Ranks]:
    """Be one of the ranks that torchrun started, on `device`.

    An error of ours is left for `launch` to raise: of the block, or `UsageError` (E-GPUS) if this
    machine has fewer GPUs than ranks. That another rank died or hung is a `ResourceError`
    (E-RANK), which is not left: `launch` starts all of them again. A rank that waits longer than
    `timeout` seconds for another one gives up (default: 75, on GPUs 600, or
    $DEEPLAB_RANK_TIMEOUT).
    """
    report = folder / f"rank-{os.environ['RANK']}.json"
    report.unlink(missing_ok=True)  # of an earlier start
    try:
        if device == "cuda":
            check_local_gpu(int(os.environ["LOCAL_RANK"]))
        with translate_torch_errors("the ranks to meet"):
            ranks = Ranks.join(device=device, timeout=timeout or float(
                os.environ.get("DEEPLAB_RANK_TIMEOUT", RANK_TIMEOUT_SECONDS[device])))
        yield ranks
        report_memory(folder, ranks, device)
        ranks.leave()
    except DeeplabError as error:
        write_json(report, {"kind": type(error).__name__, "text": str(error)})
        raise
    except RuntimeError as error:
        if not (isinstance(error, torch.distributed.DistError)
                or any(word in str(error).lower() for word in LOST_RANK)):
            raise
        raise ResourceError.of(
            "E-RANK", f"rank {os.environ['RANK']} lost another one, which died or hung",
            file=folder,
            found=str(error).strip().splitlines()[0],
            do="the same commands go on from the last checkpoint") from error


def check_local_gpu(local_rank: int) -> None:
    """Raise `UsageError` (E-GPUS) if this machine has no GPU for its rank number `local_rank`."""
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise UsageError.of("E-GPUS", "there are more ranks than GPUs on this machine",
                            found=f"{count} GPUs", expected=f"at least {local_rank + 1}",
                            do="give --nproc-per-node the number of GPUs of this machine")


def main() -> None:
    """torchrun, and its ranks after it, that end with the process that started them.

    It ends with the exit code of its ranks where they tell why they ended, 75 after a signal
    for which they saved, and prints no traceback of its own.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    die_with_parent()
    os.environ[PARENT] = str(os.getpid())
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(TERMINATE_SECONDS))
    try:
        code = _agent(sys.argv[1:])
        _ignore_signals()
    except SignalException:
        _ignore_signals()
        code = Stopped.exit_code
    sys.exit(code)


def _ignore_signals() -> None:
    """Take the place of torchrun's handlers, which outlive its ranks and raise."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _agent(arguments: list[str]) -> int:
    """Run torchrun; the exit code that its ranks' ends come to."""
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.run import main as torchrun
    signals = ",".join(number.name for number in SIGNALS)
    logging.getLogger(AGENT_LOGGER).addFilter(is_no_lost_farewell)
    try:
        torchrun(["--signals-to-handle", signals, *arguments])
    except (RendezvousError, DistError) as error:
        what = str(error).partition("\n")[0]
        print(f"E-RANK the machine at which all meet is not there, or has ended: {what}",
              file=sys.stderr)
        return ResourceError.exit_code
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        if all(code == Stopped.exit_code or -code in SIGNALS for code in codes.values()):
            return Stopped.exit_code
        for rank, code in codes.items():
            if code < 0:  # it could not say so itself
                print(f"E-RANK rank {rank} was ended by {signal.Signals(-code).name}",
                      file=sys.stderr)
        return max(1, *codes.values())
    return 0


def is_no_lost_farewell(record: logging.LogRecord) -> bool:
    """False for torchrun's traceback when the first machine has ended before this one's farewell.

    All ranks have ended by then, and the exit code says how.
    """
    return "exit barrier" not in record.getMessage()


if __name__ == "__main__":
    main()
