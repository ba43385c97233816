"""Whatever the bytes of an archive, files below one folder come out or nothing does."""

import io
import tarfile
import time
import zipfile

import pytest
from mutate import mutations

from deeplab.prepare.archives import Limits, unpack
from deeplab.support.errors import DataError

FILES = {"set/a.txt": b"a" * 700, "set/deep/b.txt": bytes(range(256)), "other/c.txt": b"c"}
LIMITS = Limits(members=50, file_bytes=100_000, ratio=2, slack=100_000)


def tar(mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


@pytest.mark.parametrize(("name", "seed"), [
    ("x.tar", tar("w")), ("x.tar.gz", tar("w:gz")), ("x.zip", zipped())],
                         ids=("tar", "tar.gz", "zip"))
@pytest.mark.filterwarnings("ignore")
def test_mutated_archives_give_files_below_the_folder_or_an_error_of_ours(tmp_path, name, seed):
    inside, archive = tmp_path / "in", tmp_path / name
    inside.mkdir()
    archive.write_bytes(seed)
    unpacked = unpack(archive, inside / "out", below="set", limits=LIMITS)
    assert len(list(unpacked.rglob("*.txt"))) == 2
    for content in mutations(seed, name):
        archive.write_bytes(content)
        begin = time.monotonic()
        try:
            unpack(archive, inside / "out", below="set", limits=LIMITS)
        except DataError as error:
            assert str(archive) in str(error)
        assert time.monotonic() - begin < 5
        assert {path.name for path in inside.iterdir()} <= {"out"}
        assert {path.name for path in tmp_path.iterdir()} == {"in", name}
