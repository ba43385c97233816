"""Whatever the bytes of a JSON file, a log or a list, values come out or an error of ours."""

import json
import time
from importlib.resources import files

import pytest
from mutate import mutations

from deeplab.data.catalog import load_label_set
from deeplab.support.errors import DeeplabError
from deeplab.support.files import read_json, read_json_lines
from deeplab.support.listing import read_list

ENTRIES = json.loads(files("deeplab.data").joinpath("classes.json").read_text(encoding="utf-8"))
ENTRY = json.dumps(ENTRIES["voc"]).encode()
LOG = b"".join(json.dumps({"step": step, "loss": 1.5 / step}).encode() + b"\n"
               for step in range(1, 9))
LIST = "\ufeff2007_000032\r\nJPEGImages/a.jpg SegmentationClass/a.png\n\nstraße\n".encode()
READERS = {"json": (ENTRY, read_json), "entry": (ENTRY, load_label_set),
           "log": (LOG, lambda path: list(read_json_lines(path))), "list": (LIST, read_list)}


@pytest.mark.parametrize("name", READERS)
def test_mutated_texts_give_values_or_an_error_of_ours(tmp_path, name):
    seed, read = READERS[name]
    path = tmp_path / "file.json"
    path.write_bytes(seed)
    assert read(path)
    for content in [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 100_000, b"NaN", b"\xff\xfe",
                    *mutations(seed, name)]:
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            read(path)
        except DeeplabError:
            pass
        assert time.monotonic() - begin < 5
