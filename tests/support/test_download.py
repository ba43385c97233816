"""Downloads from a server that does everything wrong: right in the end, or a clear error."""

import hashlib
import os
import subprocess
import sys
import threading
import time

import bad_server
import pytest
from bad_server import BODY, Answer, serving

from deeplab.support.download import Patience, fetch
from deeplab.support.errors import DataError
from deeplab.support.remote import Remote

DIGEST = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(tries=4, pause=0.001, stall=0.3)
HALF = len(BODY) // 2
PAGE = b"<!DOCTYPE html><html><title>404 Not found</title></html>"
A = Answer


def remote_of(server, **changes) -> Remote:
    facts = {"url": f"{server.url}/file.tar", "gigabytes": 0.001, "length": len(BODY),
             "checksum": f"sha256:{DIGEST}"} | changes
    return Remote(**facts)


def get(server, folder, **changes):
    return fetch(remote_of(server, **changes), folder, patience=QUICK, local_http=True)


def nothing_unverified(folder) -> bool:
    """Whether the final name is free or holds the right file."""
    path = folder / "file.tar"
    return not path.exists() or path.read_bytes() == BODY


RECOVERED = {
    "no fault": [A()],
    "cut once": [A(cut=HALF), A()],
    "cut three times": [A(cut=9000), A(cut=1), A(cut=HALF), A()],
    "cut at the first byte": [A(cut=0), A()],
    "stall": [A(hang=HALF), A()],
    "a byte now and then": [A(drip=0.02), A()],
    "busy": [A(status=503, body=b"busy"), A()],
    "error in the server": [A(status=500), A(status=502), A(status=504), A()],
    "too many requests": [A(status=429), A()],
    "range ignored": [A(cut=HALF), A(ranges=False)],
    "range begins elsewhere": [A(cut=HALF), A(shift=7), A()],
    "file replaced meanwhile": [A(cut=HALF, body=b"x" * len(BODY), etag='"old"'), A(etag='"new"')],
    "no ETag, so no resume": [A(cut=HALF, etag=None), A(etag=None)],
    "weak ETag, so no resume": [A(cut=HALF, etag='W/"one"'), A()],
    "date instead of ETag": [A(cut=HALF, etag=None, headers={
        "Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}), A()],
    "part is too long": [A(cut=HALF), A(status=416), A()],
    "length not announced": [A(length=-1)],
    "redirect within the allowed": [A(to="{url}/elsewhere"), A()],
}
REFUSED = {
    "announced too long": ([A(length=len(BODY) + 5)], "E-HASH(?s:.*)102,405 bytes"),
    "announced too short": ([A(length=len(BODY) - 5)], "E-HASH(?s:.*)102,395 bytes"),
    "always cut": ([A(cut=10, etag=None)], "E-DOWNLOAD.* 4 tries"),
    "always stalls": ([A(hang=10, etag=None)], "E-DOWNLOAD(?s:.*)(no progress|timed out)"),
    "always busy": ([A(status=503)], "E-DOWNLOAD(?s:.*)answered 503"),
    "not found": ([A(status=404)], "E-DOWNLOAD.*1 tries(?s:.*)answered 404"),
    "forbidden": ([A(status=403)], "E-DOWNLOAD(?s:.*)answered 403"),
    "a web page with status 200": ([A(body=PAGE)], "E-HASH(?s:.*)<!DOCTYPE html"),
    "a web page of the right length": ([A(body=PAGE.ljust(len(BODY)))],
                                       r"E-HASH(?s:.*)\(a web page\)"),
    "shorter than it should be": ([A(body=BODY[:-1])], "E-HASH(?s:.*)102,399 bytes"),
    "longer than it should be": ([A(body=BODY + b"x")], "E-HASH(?s:.*)102,401 bytes"),
    "one bit off": ([A(body=BODY[:-1] + b"\xfe")], "E-HASH(?s:.*)expected: 102,400 bytes, sha256"),
    "empty": ([A(body=b"")], "E-HASH"),
    "without end": ([A(body=BODY * 3, length=-1)], "E-DOWNLOAD(?s:.*)more than the 102,400"),
    "compressed unasked": ([A(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b" * HALF)],
                           "E-HASH"),
    "redirect to http": ([A(to="http://example.org/file.tar")], "E-URL(?s:.*)expected: https"),
    "redirect to ftp": ([A(to="ftp://127.0.0.1/file.tar")], "E-URL"),
    "redirect to a file": ([A(to="file:///etc/hostname")], "E-DOWNLOAD(?s:.*)answered 302"),
    "redirect in a circle": ([A(to="{url}/again")], "E-DOWNLOAD(?s:.*)answered 302"),
}


@pytest.mark.parametrize("script", RECOVERED.values(), ids=RECOVERED)
def test_a_fault_that_passes_ends_with_the_right_file(tmp_path, script):
    with serving(*script) as server:
        path = get(server, tmp_path)
    assert path == tmp_path / "file.tar" and path.read_bytes() == BODY
    assert sorted(one.name for one in tmp_path.iterdir()) == [".file.tar.lock", "file.tar"]


@pytest.mark.parametrize(("script", "message"), REFUSED.values(), ids=REFUSED)
def test_a_fault_that_stays_is_a_clear_error_and_leaves_no_file(tmp_path, script, message):
    with serving(*script) as server, pytest.raises(DataError, match=message) as caught:
        get(server, tmp_path)
    assert "do: " in str(caught.value) and "file.tar" in str(caught.value)
    assert not (tmp_path / "file.tar").exists()


def test_a_cut_download_asks_only_for_the_rest(tmp_path):
    with serving(A(cut=HALF), A()) as server:
        get(server, tmp_path)
        second = server.requests[1]
    assert second["Range"] == f"bytes={HALF}-" and second["If-Range"] == '"one"'


def test_the_next_run_goes_on_where_this_one_ended(tmp_path):
    with serving(A(cut=HALF), A(status=503)) as server:
        with pytest.raises(DataError, match=f"goes on after {HALF:,} bytes"):
            get(server, tmp_path)
        server.script = [A()]
        assert get(server, tmp_path).read_bytes() == BODY
        assert server.requests[-1]["Range"] == f"bytes={HALF}-"


def test_a_file_that_is_there_is_checked_and_not_fetched(tmp_path):
    (tmp_path / "file.tar").write_bytes(BODY)
    with serving() as server:
        get(server, tmp_path)
        assert server.requests == []
        (tmp_path / "file.tar").write_bytes(BODY[:-1] + b"?")
        with pytest.raises(DataError, match="E-HASH(?s:.*)delete that file"):
            get(server, tmp_path)
        assert server.requests == []


def test_rubbish_in_the_part_file_does_no_harm(tmp_path):
    for rubbish in (b"rubbish", b"x" * len(BODY), b"x" * len(BODY) * 2):
        (tmp_path / "file.tar.part").write_bytes(rubbish)
        (tmp_path / "file.tar").unlink(missing_ok=True)
        with serving() as server:
            try:
                get(server, tmp_path)
            except DataError as error:
                assert error.code == "E-HASH"
                assert get(server, tmp_path).read_bytes() == BODY
        assert nothing_unverified(tmp_path)


def test_two_at_once_transfer_the_file_once(tmp_path):
    ends = []
    with serving(A(delay=0.2)) as server:
        threads = [threading.Thread(target=lambda: ends.append(get(server, tmp_path)))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert ends == [tmp_path / "file.tar"] * 2 and ends[0].read_bytes() == BODY


@pytest.mark.parametrize("point", ["download", "download-complete"])
def test_a_killed_download_goes_on(tmp_path, point):
    code = ("import sys; sys.path[:0] = sys.argv[3:]; import test_download as t; "
            "from deeplab.support.download import fetch; "
            "from deeplab.support.remote import Remote; from pathlib import Path; "
            "fetch(Remote(sys.argv[1], 0.001, 'sha256:' + t.DIGEST, len(t.BODY)), "
            "Path(sys.argv[2]), local_http=True)")
    with serving() as server:
        killed = subprocess.run(
            [sys.executable, "-c", code, f"{server.url}/file.tar", str(tmp_path),
             os.path.dirname(__file__), os.path.dirname(bad_server.__file__)],
            env=os.environ | {"DEEPLAB_CRASH": point})
        assert killed.returncode == -9
        assert not (tmp_path / "file.tar").exists()
        assert (tmp_path / "file.tar.part").stat().st_size > 0
        assert get(server, tmp_path).read_bytes() == BODY


def test_nobody_listens(tmp_path):
    with serving() as server:
        gone = remote_of(server)
    with pytest.raises(DataError, match="E-DOWNLOAD(?s:.*)refused"):
        fetch(gone, tmp_path, patience=QUICK, local_http=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://example.org/x", "ftp://a/x",
                                 "file:///etc/hostname", "/etc/hostname"])
def test_without_the_test_switch_only_https_is_asked(tmp_path, url):
    with pytest.raises(DataError, match="E-URL only https"):
        fetch(Remote(url, 0.1), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_checksum_is_recorded_and_binds_the_next_download(tmp_path):
    with serving() as server:
        get(server, tmp_path, checksum=None, length=None)
        assert (tmp_path / "file.tar.sha256").read_text() == f"{DIGEST}  file.tar\n"
        (tmp_path / "file.tar").unlink()
        server.script = [A(body=BODY[::-1])]
        with pytest.raises(DataError, match="E-HASH"):
            get(server, tmp_path, checksum=None, length=None)
        assert not (tmp_path / "file.tar").exists()
        server.script = [A()]
        get(server, tmp_path, checksum=None, length=None)


def test_the_start_of_a_digest_is_enough(tmp_path):
    with serving() as server:
        get(server, tmp_path, checksum=f"sha256:{DIGEST[:8]}")
        (tmp_path / "file.tar").unlink()
        with pytest.raises(DataError, match="E-HASH"):
            get(server, tmp_path, checksum="md5:00000000")


def test_a_stall_is_noticed_within_its_limit(tmp_path):
    begin = time.monotonic()
    with serving(A(drip=0.02)) as server, pytest.raises(DataError, match="no progress for 0.3 s"):
        fetch(remote_of(server), tmp_path, local_http=True,
              patience=Patience(tries=1, stall=0.3))
    assert time.monotonic() - begin < 2


def test_progress_counts_up_to_the_whole(tmp_path):
    seen = []
    with serving(A(cut=HALF), A()) as server:
        fetch(remote_of(server), tmp_path, patience=QUICK, local_http=True,
              progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(BODY), len(BODY)) and seen == sorted(seen)
