"""Machines that are short of something."""

import contextlib
import resource


@contextlib.contextmanager
def file_size_limit(size):
    """A disk on which a file can have `size` bytes; Python ignores the signal and gets EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
