"""Names and files that are ours: nobody foresees them, and nothing leads from them elsewhere."""

import errno
import os
import re
import secrets
import stat
from pathlib import Path

from deeplab.support.errors import ResourceError

TEMPORARY = ".tmp-"  # prefix of every temporary name; 16 digits that nobody can guess follow
OURS = re.compile(rf"{re.escape(TEMPORARY)}[0-9a-f]{{16}}-.+", re.DOTALL)  # leftovers to be swept


def temporary_for(path: Path) -> Path:
    """A name beside `path` that nobody could foresee, and that `sweep_temporaries` knows."""
    return path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}-{path.name}")


def no_link(path: str, flags: int) -> int:
    """An opener for `open` that writes into a file of this name alone, with the user's umask.

    Raises `ResourceError` (E-LINK) for a pipe, a device or a file that has a second name, and
    OSError (ELOOP) for a link.
    """
    careful = flags & ~os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    number = os.open(path, careful, 0o666)
    facts = os.fstat(number)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink <= 1:
        if flags & os.O_TRUNC:
            os.ftruncate(number, 0)
        return number
    os.close(number)
    raise linked(Path(path), f"{stat.filemode(facts.st_mode)} with {facts.st_nlink} names")


def regular(path: str, flags: int) -> int:
    """An opener for `open` that reads regular files, never waits for a pipe, and follows links.

    Raises OSError for anything else.
    """
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(number).st_mode):
        return number
    os.close(number)
    raise OSError(errno.EINVAL, "not a regular file", path)


def regular_itself(path: str, flags: int) -> int:
    """`regular`, which refuses a link in place of the file."""
    try:
        return regular(path, flags | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a link, which may lead anywhere", path) from error
        raise


def refuse_linked(folder: Path) -> None:
    """Raise `ResourceError` (E-LINK) for a link: what is written into it would land elsewhere."""
    if folder.is_symlink():
        raise linked(folder, "a symbolic link")


def linked(path: Path, found: str) -> ResourceError:
    """The error for something that leads what is written here to another place."""
    return ResourceError.of("E-LINK", "a link stands where deeplab writes", file=path,
                            found=found, expected="a file of its own, or none yet",
                            do="remove it, and run the same command again")


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files that a killed writer left below `folder`."""
    for leftover in Path(folder).rglob(f"{TEMPORARY}*"):
        if OURS.fullmatch(leftover.name) and not leftover.is_dir():
            leftover.unlink(missing_ok=True)
