"""The entry of a dataset: a JSON object that describes it, checked key by key.

The objects in classes.json are examples; data/README.md explains the keys.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from deeplab.support.errors import DataError, UsageError

REQUIRED, OPTIONAL = ("title", "layout", "classes", "ignored", "resize"), ("split_sizes",)
CLASS_KEYS = ("raw", "name", "color")
LAYOUT_REQUIRED = ("folders", "images", "labels")
LAYOUT_OPTIONAL = ("lists", "split_folders", "extra_labels")
MOST_CLASSES = 253  # a label has 256 values: one is ignored, one marks what is not allowed
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
LARGEST_SIDE = 2**16  # pixels of a target size
LONGEST = 200  # bytes of a text: a file system takes 255 of a name
SHOWN = 6  # faults that an error message lists
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")  # of a dataset: rows and folders bear it


def check_entry(name: str, entry: Any, source: object) -> None:
    """Raise `UsageError` (E-DATASET) for an entry that does not describe a dataset.

    It names `source` and every key that is missing, unknown, of a wrong type or value, and
    what is expected there; `name` is the dataset's.
    """
    faults = list(_faults(entry))
    if not NAME.fullmatch(name):
        faults.insert(0, fault("the file's name", name, "letters, digits, _ . + and - only"))
    if faults:
        more = f"\n    and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise UsageError.of(
            "E-DATASET", f"the dataset entry {name!r} is wrong", file=source,
            found="".join(f"\n    {text}" for text in faults[:SHOWN]) + more,
            do="correct these keys; data/README.md explains them and deeplab/data/classes.json "
               "holds examples")


def fault(key: str, found: Any, expected: str) -> str:
    """What is wrong with the value of a key, in words."""
    text = repr(found)
    return f"{key} is {text if len(text) <= 60 else text[:57] + '...'}, expected {expected}"


def inside(path: str) -> str:
    """A path that an entry comes to, if it leads nowhere but down; else `DataError` (E-LAYOUT)."""
    if ".." in PurePosixPath(path).parts or PurePosixPath(path).is_absolute():
        raise DataError.of("E-LAYOUT", "a path that leads out of the dataset", found=path,
                           expected="a path below its root",
                           do="rename the split, or correct the patterns of the entry")
    return path


def _faults(entry: Any) -> Iterator[str]:
    """Every fault of an entry; what hangs on a wrong key is not looked at."""
    if not isinstance(entry, Mapping):
        yield fault("the entry", entry, "an object with the keys " + ", ".join(REQUIRED))
        return
    yield from _keys(entry, "", REQUIRED, OPTIONAL)
    checks = {"title": _title, "resize": _resize, "ignored": _ignored, "classes": _classes,
              "layout": _layout, "split_sizes": _split_sizes}
    for key, check in checks.items():
        if key in entry:
            yield from check(entry[key])
    if not isinstance(entry.get("classes"), list) or not isinstance(entry.get("ignored"), list):
        return
    raw = [one.get("raw") for one in entry["classes"] if isinstance(one, Mapping)]
    both = [value for value in entry["ignored"] if _is_byte(value) and value in raw]
    if both:
        yield fault("ignored", both[0], "no value that is a class too")


def _keys(found: Mapping[str, Any], where: str, required: Iterable[str],
          optional: Iterable[str] = ()) -> Iterator[str]:
    required, known = list(required), [*required, *optional]
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            yield f"unknown key {where}{key}, " + (
                f"did you mean {near[0]!r}?" if near else "expected " + ", ".join(known))
    for key in required:
        if key not in found:
            yield f"missing key {where}{key}"


def _title(value: Any) -> Iterator[str]:
    if not _is_text(value):
        yield fault("title", value, "a text")


def _resize(value: Any) -> Iterator[str]:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
            and LARGEST_SIDE >= value[0] >= value[1] >= 1):
        yield fault("resize", value, "[long, short] in pixels, such as [2048, 512]")


def _ignored(value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not all(map(_is_byte, value)):
        yield fault("ignored", value, "a list of values 0..255, such as [255]")
    elif len(set(value)) < len(value):
        yield fault("ignored", value, "each value once")


def _classes(value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_CLASSES:
        count = f"a list of {len(value)}" if isinstance(value, list) else value
        yield fault("classes", count, f"a list of 2..{MOST_CLASSES} objects")
        return
    seen: dict[tuple[str, Any], int] = {}
    for index, one in enumerate(value):
        where = f"classes[{index}]"
        if not isinstance(one, Mapping):
            yield fault(where, one, "an object with " + ", ".join(CLASS_KEYS))
            continue
        yield from _keys(one, f"{where}.", CLASS_KEYS)
        for key, is_right, expected in (
                ("raw", _is_byte, "a whole number 0..255"), ("name", _is_text, "a text"),
                ("color", _is_colour, "[red, green, blue], each 0..255")):
            if key in one and not is_right(one[key]):
                yield fault(f"{where}.{key}", one[key], expected)
            elif key in one and key != "color" and seen.setdefault((key, one[key]), index) != index:
                yield fault(f"{where}.{key}", one[key],
                            f"another than that of classes[{seen[key, one[key]]}]")


def _layout(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield fault("layout", value, "an object with " + ", ".join(LAYOUT_REQUIRED))
        return
    yield from _keys(value, "layout.", LAYOUT_REQUIRED, LAYOUT_OPTIONAL)
    folders = value.get("folders", ["x"])
    if not isinstance(folders, list) or not folders or not all(map(_is_relative, folders)):
        yield fault("layout.folders", folders, "a list of folders below the data root")
    lists = value.get("lists")
    if lists is not None and not (_is_relative(lists) and "{split}" in lists):
        yield fault("layout.lists", lists, "a relative path with {split}, or none")
    for key in ("images", "labels"):
        if key in value:
            yield from _pattern(f"layout.{key}", value[key])
    images = value.get("images")
    if isinstance(images, str) and "{split}" not in images and lists is None:
        yield fault("layout.images", images, "{split} in it, or a pattern of lists")
    for key in ("split_folders", "extra_labels"):
        entries = value.get(key, {})
        if not isinstance(entries, Mapping):
            yield fault(f"layout.{key}", entries, "an object: a text for each split")
        for split, text in entries.items() if isinstance(entries, Mapping) else ():
            yield from _split_name(f"layout.{key}", split)
            if key == "extra_labels":
                yield from _pattern(f"layout.{key}.{split}", text)
            elif not _is_relative(text):
                yield fault(f"layout.{key}.{split}", text, "a relative folder")
            else:
                yield from _filled(value, split, text)


def _filled(layout: Mapping[str, Any], split: str, folder: str) -> Iterator[str]:
    """A fault of each pattern that is relative, and is not with the folder of a split in it."""
    for key in ("images", "labels"):
        path = str(layout.get(key)).replace("{split}", folder)
        if _is_relative(layout.get(key)) and not _is_relative(path):
            yield fault(f"layout.{key}, for split {split},", path, "a relative path")


def _split_name(where: str, split: Any) -> Iterator[str]:
    if not isinstance(split, str) or not NAME.fullmatch(split) or len(split) > LONGEST:
        yield fault(f"a split in {where}", split, "letters, digits, _ . + and - only")


def _pattern(key: str, value: Any) -> Iterator[str]:
    if not _is_relative(value) or value.count("{id}") != 1:
        yield fault(key, value, "a relative path with {id} in it, once")
        return
    places = set(re.findall(r"\{.*?\}", value)) - {"{id}", "{split}"}
    if places:
        yield fault(key, value, f"no places but {{split}} and {{id}}, not {sorted(places)[0]}")
    endings = (".png",) if "label" in key else IMAGE_ENDINGS
    if not value.lower().endswith(endings):
        yield fault(key, value, f"a pattern that ends in {' or '.join(endings)}")


def _split_sizes(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield fault("split_sizes", value, 'an object, such as {"train": 80, "val": 20}')
        return
    for split, count in value.items():
        if not _is_number(count) or count < 1:
            yield fault(f"split_sizes.{split}", count, "a number of images")
        yield from _split_name("split_sizes", split)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_byte(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 255


def _is_colour(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_byte, value))


def _is_text(value: Any) -> bool:
    return (isinstance(value, str) and value.strip() != "" and value.isprintable()
            and len(value.encode()) <= LONGEST)


def _is_relative(value: Any) -> bool:
    """Whether a value is a path that leads nowhere but down."""
    return (_is_text(value) and ".." not in Path(value).parts
            and not PurePosixPath(value).is_absolute() and not PureWindowsPath(value).drive
            and "\\" not in value)
