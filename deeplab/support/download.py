"""Fetch a file over https: resumed when cut, and at its final name only when it is right.

What has arrived lies in `NAME.part`; it moves to `NAME` once length and checksum fit.
"""

import http.client
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeplab.support.crash import crash_point
from deeplab.support.errors import DataError
from deeplab.support.files import FULL_DISK, atomic_write, disk_errors, disk_full, replace_file
from deeplab.support.locks import locked
from deeplab.support.own import no_link
from deeplab.support.remote import Remote, check, record, wrong_file

CHUNK = 1 << 18  # bytes
HEADERS = {"User-Agent": "deeplab", "Accept-Encoding": "identity"}
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)  # answers that a later try may change
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all


@dataclass(frozen=True)
class Patience:
    """How long a download is tried."""

    tries: int = 5
    pause: float = 2.0  # seconds before the second try; doubled each time
    stall: float = 60.0  # seconds without STALL_BYTES more
    stall_bytes: int = 1024


class TransientError(Exception):
    """A try that failed in a way that the next one may not."""


def fetch(remote: Remote, folder: Path, *, patience: Patience = Patience(),
          progress: Progress = lambda done, total: None, local_http: bool = False) -> Path:
    """The file in `folder`, downloaded now if it is not there; checked in either case.

    Two processes may ask at once; the second waits for the first. `local_http` allows http from
    127.0.0.1, for tests. Raises `DataError`: E-URL for anything but https, E-DOWNLOAD
    when the server does not deliver, E-HASH for another file than the expected one.
    """
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    _check_address(remote.url, local_http)
    with locked(folder / f".{remote.name}.lock", wait=True):
        if path.exists():
            check(path, remote)
            record(path, remote)
            return path
        _deliver(remote, part, _opener(local_http), patience, progress)
        try:
            check(part, remote)
        except DataError:
            _forget(part)
            raise
        crash_point("download-complete")
        record(part, remote)
        replace_file(part, path)
        _forget(part)
    return path


def _check_address(url: str, local_http: bool) -> None:
    """Raise `DataError` (E-URL) unless the address may be asked."""
    address = urllib.parse.urlsplit(url)
    local = local_http and address.scheme == "http" and address.hostname == "127.0.0.1"
    if address.scheme != "https" and not local:
        raise DataError.of("E-URL", "only https is used to download", file=url,
                           found=address.scheme or "no scheme", expected="https",
                           do="get the file by hand from a place you trust")


def _opener(local_http: bool) -> urllib.request.OpenerDirector:
    class Checked(urllib.request.HTTPRedirectHandler):
        """Follows a redirection only where the address may be asked."""

        def redirect_request(self, request, file, code, message, headers, url):
            _check_address(url, local_http)
            return super().redirect_request(request, file, code, message, headers, url)

    return urllib.request.build_opener(Checked)


def _deliver(remote: Remote, part: Path, opener: urllib.request.OpenerDirector,
             patience: Patience, progress: Progress) -> None:
    """Fill `part`, in several tries if need be; raises `DataError` (E-DOWNLOAD, E-HASH)."""
    why: object = None
    for attempt in range(patience.tries):
        if attempt:
            time.sleep(patience.pause * 2 ** (attempt - 1))
        try:
            _transfer(remote, part, opener, patience, progress)
            return
        except urllib.error.HTTPError as error:
            why = f"the server answered {error.code} {error.reason}"
            if error.code == 416:  # our part is longer than the file
                _forget(part)
            elif error.code not in TRANSIENT:
                break
        except (TransientError, http.client.HTTPException, OSError) as error:
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                raise disk_full(part) from error
            why = getattr(error, "reason", None) or error
    done = part.stat().st_size if part.exists() else 0
    raise DataError.of(
        "E-DOWNLOAD", f"the download did not succeed after {attempt + 1} tries", file=remote.url,
        found=f"{why} ({type(why).__name__})" if isinstance(why, Exception) else why,
        expected="the whole file",
        do=f"run the same command again (it goes on after {done:,} bytes), or get the file by "
           f"hand and put it at {part.with_name(remote.name)}")


def _transfer(remote: Remote, part: Path, opener: urllib.request.OpenerDirector,
              patience: Patience, progress: Progress) -> None:
    """One try: ask for what is missing of `part` and append it."""
    have, tag = part.stat().st_size if part.exists() else 0, _tag_file(part)
    if remote.length and have == remote.length:
        return
    request = urllib.request.Request(remote.url, headers=HEADERS)
    if have and tag.exists():
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag.read_text(encoding="utf-8"))
    with opener.open(request, timeout=patience.stall) as response:
        start, total = _span(response, have, part)
        if remote.length and total not in (None, remote.length):
            first = response.read(15)
            raise wrong_file(part, remote, f"{total:,} bytes, starts with {first!r}",
                              remote.checksum)
        if start == 0:
            _forget(part)
            _remember(tag, response.headers)
        ceiling = total or remote.length or int(2e9 * remote.gigabytes)
        end = _append(response, part, start, ceiling, patience, lambda n: progress(n, total))
    if end < (total or remote.length or end):
        raise TransientError(
            f"the connection ended after {end:,} of {total or remote.length:,} bytes")


def _span(response: http.client.HTTPResponse, have: int, part: Path) -> tuple[int, int | None]:
    """(offset at which the answer begins, length of the whole file if the server says it)."""
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if not match or int(match[1]) != have:
        _forget(part)
        raise TransientError(
            f"asked from byte {have:,}, got {response.headers.get('Content-Range')!r}")
    return have, int(match[2])


def _append(response: http.client.HTTPResponse, part: Path, start: int, ceiling: int,
            patience: Patience, progress: Callable[[int], None]) -> int:
    """Append the answer's body to `part`; returns the length of the part afterwards."""
    end, mark, since = start, start, time.monotonic()
    part.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(part), open(part, "ab", opener=no_link) as file:
        while block := response.read1(CHUNK):
            file.write(block)
            end += len(block)
            progress(end)
            crash_point("download")
            if end > ceiling:
                file.truncate(0)
                raise TransientError(f"more than the {ceiling:,} bytes that were to come")
            if end - mark >= patience.stall_bytes:
                mark, since = end, time.monotonic()
            elif time.monotonic() - since > patience.stall:
                raise TransientError(f"no progress for {patience.stall:g} s")
        file.flush()
        os.fsync(file.fileno())
    return end


def _tag_file(part: Path) -> Path:
    """Where the server's mark of the version that `part` is a part of is kept."""
    return part.with_suffix(".tag")


def _remember(tag: Path, headers: http.client.HTTPMessage) -> None:
    """Keep the validator that a range request must send; a weak one does not serve."""
    mark = headers.get("ETag", "")
    mark = headers.get("Last-Modified") if not mark or mark.startswith("W/") else mark
    if mark:
        atomic_write(tag, mark)


def _forget(part: Path) -> None:
    for path in (part, _tag_file(part)):
        path.unlink(missing_ok=True)
