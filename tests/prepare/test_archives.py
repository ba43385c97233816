"""Archives that mean harm: nothing comes out of them, and nothing outside the folder ever."""

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile

import pytest

from deeplab.prepare.archives import Limits, unpack
from deeplab.support.errors import DataError

GOOD = {"set/images/a.jpg": b"picture", "set/images/deep/b.jpg": b"other", "set/list.txt": b"a\n"}
SMALL = Limits(members=50, file_bytes=100_000, ratio=2, slack=100_000)


def tar(path, *members, mode="w"):
    """A tar archive of (name, content) or (name, None, type, link name)."""
    with tarfile.open(path, mode) as file:
        for name, content, *kind in members:
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            if kind:
                info.type, info.linkname = (*kind, "")[:2]
            file.addfile(info, io.BytesIO(content or b""))
    return path


def zipped(path, *members, compression=zipfile.ZIP_DEFLATED):
    """A zip archive of (name, content[, unix mode])."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.filename = name  # ZipInfo cuts a name at NUL
            info.compress_type = compression
            info.external_attr = (mode[0] if mode else 0o100644) << 16
            file.writestr(info, content)
    return path


def doctored(path, old, new):
    """The archive with bytes replaced, for names that its writer would not write."""
    content = path.read_bytes()
    assert old in content and len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


OK = ("set/ok.txt", b"ok")
HOSTILE = {
    "tar ..": lambda p: tar(p, OK, ("set/../../evil", b"x")),
    "tar .. outside the part": lambda p: tar(p, OK, ("../evil", b"x")),
    "tar absolute": lambda p: tar(p, OK, (f"{p.parent}/evil", b"x")),
    "tar symlink": lambda p: tar(p, OK, ("set/link", None, tarfile.SYMTYPE, "/etc/passwd")),
    "tar symlink to a folder, then through it": lambda p: tar(
        p, OK, ("set/up", None, tarfile.SYMTYPE, ".."), ("set/up/evil", b"x")),
    "tar hard link": lambda p: tar(p, OK, ("set/link", None, tarfile.LNKTYPE, "set/ok.txt")),
    "tar hard link outside": lambda p: tar(p, OK, ("set/l", None, tarfile.LNKTYPE, "../../evil")),
    "tar character device": lambda p: tar(p, OK, ("set/zero", None, tarfile.CHRTYPE)),
    "tar block device": lambda p: tar(p, OK, ("set/disk", None, tarfile.BLKTYPE)),
    "tar pipe": lambda p: tar(p, OK, ("set/pipe", None, tarfile.FIFOTYPE)),
    "tar contiguous file": lambda p: tar(p, OK, ("set/cont", None, tarfile.CONTTYPE)),
    "tar sparse file": lambda p: tar(p, OK, ("set/holes", None, tarfile.GNUTYPE_SPARSE)),
    "tar backslash": lambda p: tar(p, OK, ("set\\..\\evil", b"x")),
    "tar drive": lambda p: tar(p, OK, ("C:/evil", b"x")),
    "tar newline in a name": lambda p: tar(p, OK, ("set/a\nb", b"x")),
    "tar name that is not UTF-8": lambda p: tar(p, OK, ("set/\udcff\udcfe", b"x")),
    "tar empty part": lambda p: tar(p, OK, ("set//x", b"x")),
    "tar long name": lambda p: tar(p, OK, ("set/" + "n" * 250, b"x")),
    "tar deep folders": lambda p: tar(p, OK, ("set/" + "d/" * 40 + "x", b"x")),
    "tar two cases": lambda p: tar(p, OK, ("set/OK.txt", b"x")),
    "tar two cases of a folder": lambda p: tar(p, ("set/A/x", b"x"), ("set/a/y", b"x")),
    "tar two spellings of one letter": lambda p: tar(p, ("set/\u00e9", b"x"),
                                                     ("set/e\u0301", b"x")),
    "tar a name twice": lambda p: tar(p, OK, ("set/ok.txt", b"other")),
    "tar a file that is a folder too": lambda p: tar(p, ("set/a", b"x"), ("set/a/b", b"x")),
    "tar bomb": lambda p: tar(p, OK, ("set/bomb", bytes(10**7)), mode="w:gz"),
    "tar many small bombs": lambda p: tar(
        p, *((f"set/{n}", bytes(90_000)) for n in range(9)), mode="w:xz"),
    "tar too many members": lambda p: tar(p, *((f"set/{n}", b"") for n in range(60))),
    "tar cut": lambda p: cut(tar(p, ("set/ok.txt", bytes(50_000)))),
    "tar.gz cut": lambda p: cut(tar(p, ("set/ok.txt", os.urandom(50_000)), mode="w:gz")),
    "zip ..": lambda p: zipped(p, OK, ("set/../../evil", b"x")),
    "zip absolute": lambda p: zipped(p, OK, (f"{p.parent}/evil", b"x")),
    "zip symlink": lambda p: zipped(p, OK, ("set/link", "/etc/passwd", 0o120777)),
    "zip device": lambda p: zipped(p, OK, ("set/zero", b"", 0o020666)),
    "zip backslash": lambda p: doctored(zipped(p, OK, ("set/..XevilX", b"x")), b"XevilX",
                                        b"\\evil\\"),
    "zip NUL": lambda p: doctored(zipped(p, OK, ("set/evilX.jpg", b"x")), b"evilX", b"evil\0"),
    "zip two cases": lambda p: zipped(p, OK, ("set/Ok.TXT", b"x")),
    "zip bomb": lambda p: zipped(p, OK, ("set/bomb", bytes(10**7))),
    "zip lie about the size": lambda p: doctored(
        zipped(p, ("set/bomb", bytes(99_999))), (99_999).to_bytes(4, "little"),
        (9).to_bytes(4, "little")),
    "zip wrong checksum": lambda p: doctored(
        zipped(p, ("set/x", b"contents"), compression=zipfile.ZIP_STORED), b"contents",
        b"CONTENTS"),
    "zip cut": lambda p: cut(zipped(p, ("set/ok.txt", os.urandom(50_000)))),
    "zip encrypted": lambda p: encrypted(zipped(p, OK)),
    "tar later header damaged": lambda p: doctored(
        tar(p, OK, ("set/second", b"x"), ("set/third", b"x")), b"set/second", b"set/sec0nd"),
    "tar without an end": lambda p: ended(tar(p, OK), b""),
    "tar that goes on after its end": lambda p: ended(tar(p, OK), bytes(1024) + b"more" * 128),
    "tar long pax header": lambda p: pax(p, "x" * 3_000_000),
    "tar long GNU name": lambda p: tar(p, OK, ("set/" + "n" * 3_000_000, b""), mode="w:gz"),
    "tar long GNU name that is not wanted": lambda p: tar(
        p, OK, ("other/" + "n" * 3_000_000, b""), mode="w:gz"),
    "tar many long headers": lambda p: pax(p, "x" * 900_000, members=40),
    "tar many global headers": lambda p: pax(p, "x", shared={f"k{n}": "v" for n in range(99)}),
    "tar pax name that leads out": lambda p: pax(p, "x", path="set/../../evil"),
    "tar pax size below zero": lambda p: pax(p, "x", size="-5"),
    "tar pax size of a terabyte": lambda p: pax(p, "x", size=str(2**40)),
    "tar pax sparse file": lambda p: pax(p, "x", **{
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(2**40),
        "GNU.sparse.map": "0,0"}),
    "tar pax sparse file that is not wanted": lambda p: pax(p, "x", path="other/x", **{
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(2**40),
        "GNU.sparse.map": "0,0"}),
    "tar sparse file of endless headers": lambda p: endless_sparse(p),
    "tar bomb that is not wanted": lambda p: tar(p, OK, ("other/b", bytes(10**7)), mode="w:gz"),
    "tar.gz wrong checksum": lambda p: flipped(tar(p, OK, mode="w:gz"), -6),
    "zip too many members": lambda p: zipped(p, *((f"set/{n}", b"") for n in range(60))),
    "zip huge directory": lambda p: huge_directory(p, 200_000),
    "zip later header damaged": lambda p: flipped(p, zipped(
        p, OK, ("set/b", b"x"), ("set/c", b"x")).read_bytes().rindex(b"PK\x03\x04") + 3),
    "zip later entry damaged": lambda p: flipped(p, zipped(
        p, OK, ("set/b", b"x"), ("set/c", b"x")).read_bytes().rindex(b"PK\x01\x02") + 3),
    "a folder": lambda p: p.mkdir() or p,
    "no archive": lambda p: p.write_bytes(b"<!DOCTYPE html>") and p,
    "empty file": lambda p: (p.write_bytes(b""), p)[1],
    "another archive": lambda p: tar(p, ("other/x", b"x")),
    "not there": lambda p: p,
}


def ended(path, end):
    """The archive of one small member with another end."""
    path.write_bytes(path.read_bytes()[:1024] + end)
    return path

def pax(archive, comment, members=1, shared=None, **facts):
    """An archive with comments and facts in pax headers, which compress well."""
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT, pax_headers=shared) as file:
        for number in range(members):
            info = tarfile.TarInfo(f"set/ok{number}.txt")
            info.pax_headers = {"comment": comment, **facts}
            file.addfile(info, io.BytesIO(b""))
    return archive


def endless_sparse(path):
    """A file of GNU's old sparse kind whose map says in every block that another one follows."""
    info = tarfile.TarInfo("set/holes")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1  # there are more entries of the map
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    more = bytearray(512)
    more[504] = 1
    with gzip.open(path, "wb") as file:
        file.write(head + more * 50_000)
    return path


def huge_directory(path, members):
    """A zip archive that is nothing but its list of members."""
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"n"
    size = len(entry) * members
    path.write_bytes(entry * members + b"PK\x05\x06" + bytes(4) + b"\xff\xff" * 2
                     + size.to_bytes(4, "little") + bytes(6))
    return path


def flipped(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    return path


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    return path


def encrypted(path):
    """The archive with the flag of encryption set, in both headers."""
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_comes_out(tmp_path, make):
    archive = make(tmp_path / "archive")
    (tmp_path / "data").mkdir()
    before = tree(tmp_path)
    with pytest.raises(DataError, match="E-ARCHIVE") as caught:
        unpack(archive, tmp_path / "data" / "set", below="set", limits=SMALL)
    assert str(archive) in str(caught.value) and "do: " in str(caught.value)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("make", [lambda p: huge_directory(p, 300_000),
                                  lambda p: pax(p, "x" * 900_000, members=40)])
def test_lists_and_headers_take_no_memory(tmp_path, make):
    archive = make(tmp_path / "archive")
    tracemalloc.start()
    with pytest.raises(DataError, match="E-ARCHIVE"):
        unpack(archive, tmp_path / "set", below="none", limits=Limits(members=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def good(path, kind):
    if kind == "zip":
        return zipped(path, *GOOD.items())
    return tar(path, ("./set", None, tarfile.DIRTYPE), *((f"./{name}", content)
                                                   for name, content in GOOD.items()), mode=kind)


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_a_good_archive_comes_out_whole(tmp_path, kind):
    names = []
    unpack(good(tmp_path / "a", kind), tmp_path / "out", below="set", progress=names.append)
    assert names == ["images/a.jpg", "images/deep/b.jpg", "list.txt"]
    assert {name: content for name, content in tree(tmp_path / "out").items() if content} == {
        name.removeprefix("set/"): content for name, content in GOOD.items()}


def test_only_the_wanted_part_comes_out_and_links_beside_it_do_no_harm(tmp_path):
    archive = tar(tmp_path / "a", *GOOD.items(), ("other/link", None, tarfile.SYMTYPE, "/etc"),
                  ("set/doc/link", None, tarfile.SYMTYPE, "/etc"))
    unpack(archive, tmp_path / "out", below="set", only=("images/", "list.txt"))
    assert "list.txt" in tree(tmp_path / "out") and "doc" not in tree(tmp_path / "out")


def test_an_older_folder_stays_when_the_archive_is_refused(tmp_path):
    unpack(good(tmp_path / "a", "zip"), tmp_path / "out", below="set")
    before = tree(tmp_path / "out")
    with pytest.raises(DataError):
        unpack(HOSTILE["tar .."](tmp_path / "b"), tmp_path / "out", below="set")
    assert tree(tmp_path / "out") == before


def test_permissions_of_the_archive_are_not_taken_over(tmp_path):
    archive = zipped(tmp_path / "a", ("set/run.sh", b"#!/bin/sh", 0o104777))
    out = unpack(archive, tmp_path / "out", below="set") / "run.sh"
    assert out.stat().st_mode & 0o7111 == 0
