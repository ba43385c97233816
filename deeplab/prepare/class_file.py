"""Files in which people keep their classes: names, values and colours in many forms.

A JSON object or list, or lines: CSV with or without a header, CamVid's label_colors.txt,
CVAT's labelmap.txt, plain names as LabelMe and darknet have them.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deeplab.support.errors import DataError
from deeplab.support.listing import leads_out
from deeplab.support.own import regular
from deeplab.support.strict_json import parse
from deeplab.support.void import IGNORE_INDEX

VOID_NAMES = {"void", "ignore", "ignored", "__ignore__", "unlabelled", "unlabeled", "unknown"}
NAMES = ("classes", "class", "labels", "labelmap", "label_colors", "label_colours", "class_names",
         "class_dict", "_classes", "colors", "colours", "codes", "obj_class_to_machine_color")
LARGEST = 2**20  # bytes of a file of classes
ENDINGS = (".json", ".csv", ".txt", ".names")


class ClassLine(NamedTuple):
    """What a file says of one class; None where it says nothing."""

    name: str
    raw: int | None  # its value in an index image
    colour: tuple[int, int, int] | None

    @property
    def is_void(self) -> bool:
        """Whether it is no class but what is not labelled."""
        return self.name.lower() in VOID_NAMES


def find_class_file(folder: Path, files: list[str], labels: str = "") -> Path | None:
    """The file among `files` of `folder` that is called as class files are.

    Of several the one in the folder `labels`, or else the least deep one; none to which a link
    leads from elsewhere, for its lines may be shown.
    """
    fitting = [name for name in files if Path(name).suffix.lower() in ENDINGS
               and Path(name).stem.lower() in NAMES and not leads_out(folder / name, folder)]
    return folder / min(fitting, key=lambda name: (
        not (labels and name.startswith(labels)), name.count("/"), name)) if fitting else None


def with_values(lines: Sequence[ClassLine]) -> list[ClassLine]:
    """The classes with a value for each: its own, or its place among those that are not void.

    What is void has 255.
    """
    kept = [line.name for line in lines if not line.is_void]
    return [line if line.raw is not None else line._replace(
        raw=IGNORE_INDEX if line.is_void else kept.index(line.name)) for line in lines]


def read_classes(path: Path) -> list[ClassLine]:
    """The classes that a file lists, in its order.

    Raises `DataError` (E-CLASSES) for a file that cannot be read or lists none, or one name,
    value or colour twice.
    """
    try:
        with open(path, "rb", opener=regular) as file:
            content = file.read(LARGEST + 1)
        found = (_of_json(parse(content, largest=LARGEST)) if path.suffix.lower() == ".json"
                 else _of_lines(content.decode("utf-8-sig").splitlines()))
    except (OSError, ValueError) as error:
        raise _no_classes(path, error) from error
    if not found:
        raise _no_classes(path, "no class")
    for key in ("name", "raw", "colour"):
        values = [getattr(line, key) for line in found if getattr(line, key) is not None]
        twice = [value for value in dict.fromkeys(values) if values.count(value) > 1]
        if twice:
            raise _no_classes(path, f"{key} {twice[0]!r} twice")
    return found


def _no_classes(path: Path, found: object) -> DataError:
    return DataError.of(
        "E-CLASSES", "a file of classes that cannot be used", file=path, found=found,
        expected="each class once: its name, its value or its colour, or both",
        do="write it as CSV, a line for each class: name,red,green,blue")


def _of_json(content: Any) -> list[ClassLine]:
    if isinstance(content, dict):
        return [_class(str(name), value) for name, value in content.items()]
    if not isinstance(content, list):
        raise ValueError("neither an object nor a list")
    lines = []
    for index, one in enumerate(content):
        if isinstance(one, dict):
            value = one.get("color", one.get("colour"))
            raw = next((one[key] for key in ("raw", "id", "value", "index") if key in one), index)
            lines.append(_class(str(one["name"]) if "name" in one else "", value)._replace(raw=raw))
        else:
            lines.append(ClassLine(str(one), index, None))
    if not all(line.name and isinstance(line.raw, int) for line in lines):
        raise ValueError("a class without a name")
    return lines


def _class(name: str, value: Any) -> ClassLine:
    """A class whose value is a number, three numbers or `#rrggbb`; three alike are a number."""
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        value = list(bytes.fromhex(value[1:]))
    if isinstance(value, list) and len(value) == 3 and all(map(_is_byte, value)):
        return ClassLine(name, None, tuple(value))
    if value is not None and not _is_byte(value):
        raise ValueError(f"{name}: {value!r} is neither a value nor a colour")
    return ClassLine(name, value, None)


def _of_lines(lines: list[str]) -> list[ClassLine]:
    """Numbers of a line are a value, a colour, or both (value first); the rest is the name."""
    found: list[ClassLine] = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith(("#", "//")):
            continue
        fields = [field.strip(" '\"") for field in re.split(r"[,;\t:]", line)]
        if len([*filter(None, fields)]) == 1 or re.match(r"\d+\s+\d+\s+\d+\s", line):
            fields = line.split() if re.search(r"(^|\s)\d+(\s|$)", line) else [line.strip()]
        parts = [part for field in fields for part in (
            field.split() if re.fullmatch(r"[\d\s]+", field) else [field]) if part]
        numbers = [int(part) for part in parts if part.isdecimal()]
        name = " ".join(part for part in parts if not part.isdecimal())
        if not numbers and not found and len(parts) > 1 or not name:
            continue  # a header
        if len(numbers) not in (0, 1, 3, 4) or not all(map(_is_byte, numbers)):
            raise ValueError(f"line {line!r}")
        colour = tuple(numbers[-3:]) if len(numbers) >= 3 else None
        raw = numbers[0] if len(numbers) in (1, 4) else None
        found.append(ClassLine(name, raw, colour))
    if all(line.raw is None and line.colour is None for line in found):
        first = -1 if found and found[0].name == "__ignore__" else 0  # LabelMe counts so
        found = [line._replace(raw=index % 256) for index, line in enumerate(found, first)]
    return found


def _is_byte(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
