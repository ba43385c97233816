"""What differs between machines: a folder for sockets, threads, where children import from."""

import multiprocessing.util
import os
import sys
import tempfile
from pathlib import Path

from deeplab.support.errors import ResourceError, UsageError

SOCKET_PATH_BYTES = 103  # of a Unix socket's path: 107 on Linux, 103 on macOS
BELOW_FOLDER_BYTES = 45  # "/dl12345678/k-12" of a kernel, "/pymp-12345678/listener-12345678"
MOST_LOADERS = 8  # processes that load the data of one GPU
PACKAGE_PARENT = Path(__file__).parents[2]


def socket_folder() -> str:
    """A folder for sockets, whose paths the system limits to about a hundred bytes.

    The folder for temporary files ($TMPDIR), or where that path is too long, as on clusters
    that make one for each job, another place for short-lived files. Raises `ResourceError`
    (E-TMPDIR) if there is none.
    """
    places = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp",
              "/dev/shm"]
    for place in places:
        if (place and len(os.fsencode(place)) + BELOW_FOLDER_BYTES <= SOCKET_PATH_BYTES
                and os.access(place, os.W_OK | os.X_OK) and os.path.isdir(place)):
            return place
    raise ResourceError.of(
        "E-TMPDIR", "the path of the folder for temporary files is too long for sockets",
        file=places[0], found=f"{len(os.fsencode(places[0]))} bytes",
        expected=f"at most {SOCKET_PATH_BYTES - BELOW_FOLDER_BYTES} bytes",
        do="set TMPDIR to a folder with a short path, such as /tmp")


def shorten_loader_sockets() -> None:
    """Let the loader processes that this process starts next talk over sockets in `socket_folder`.

    multiprocessing makes its temporary folder once, where `tempfile` says, and its children
    take it over. A path that is too long ends in a loader that waits for ever.
    """
    before = tempfile.tempdir
    tempfile.tempdir = socket_folder()
    try:
        multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = before


def child_search_path() -> str:
    """$PYTHONPATH for children: this package first, whatever else is called `deeplab`."""
    rest = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([str(PACKAGE_PARENT), *filter(None, rest)]))


def core_count() -> int:
    """The cores that this process may use: those that affinity, so SLURM and taskset, leaves it."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count() -> int:
    """The threads to compute with: what $OMP_NUM_THREADS says, or one for each core.

    Of a list, which OpenMP takes for nested regions, the first counts. Raises `UsageError`
    (E-THREADS) for what is no number.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if not asked:
        return core_count()
    if not asked.isdecimal() or int(asked) < 1:
        raise UsageError.of("E-THREADS", "$OMP_NUM_THREADS is not a number of threads",
                            found=repr(os.environ["OMP_NUM_THREADS"]), expected="such as 4",
                            do="correct the variable, or unset it")
    return int(asked)


def peak_resident_mb() -> int | None:
    """Most memory that this process has held so far, in megabytes; None on Windows.

    `ru_maxrss` counts kilobytes on Linux and bytes on macOS (getrusage(2) of each).
    """
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def loader_count() -> int:
    """Processes that load the data of one GPU: one for each core that it can have, at most 8.

    Of several ranks on a machine, which torchrun counts in $LOCAL_WORLD_SIZE, each has its
    share of the cores; a process alone has as many as it computes with.
    """
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "")
    cores = core_count() // max(1, int(ranks)) if ranks.isdecimal() else thread_count()
    return max(1, min(MOST_LOADERS, cores))
