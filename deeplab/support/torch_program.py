"""What the pickle of a torch file would build, read off it without building anything.

A pickle is a program for a machine with a stack. `torch.load(weights_only=True)` runs it with a
few functions that are harmless by kind but not by amount: `bytearray(10**10)` takes ten
gigabytes, a tuple nested in itself forty times takes a day to be a key of a dictionary. Here the
program runs with stand-ins that only count.
"""

import pickle
import pickletools
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from deeplab.support.errors import CheckpointError

MOST_TENSORS = 20_000  # a training checkpoint of ResNet-101 with its optimiser has about 2,500
MOST_STEPS = 1_000_000  # of the program, the parts of a tuple counted each time it is used
MOST_NESTED = 100  # tuples in tuples; hashing one of a million crashes Python
SLACK = 2 ** 20  # bytes that the tensors of even the smallest file may have
BYTES = {"Double": 8, "Long": 8, "ComplexFloat": 8, "ComplexDouble": 16, "Float": 4, "Int": 4,
         "QInt32": 4, "Half": 2, "BFloat16": 2, "Short": 2}  # of a number; 1 of any other
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
PLAIN = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class Built:
    """Anything that is built of others: how many parts it has, how deep they are nested."""

    __slots__ = ("depth", "items", "parts")

    def __init__(self, items: tuple = ()):
        self.items = items  # of a tuple
        self.parts = 1 + sum(map(parts, items))
        self.depth = 1 + max((item.depth for item in items if isinstance(item, Built)), default=0)


class Name(str):
    """A function or class that the program names."""


class Storage(NamedTuple):
    """Numbers in the file: how many there are, bytes of each."""

    numel: int
    bytes: int


def parts(value: Any) -> int:
    """How many values `value` consists of."""
    return value.parts if isinstance(value, Built) else 1


class Counter:
    """Runs the pickles of one file, and refuses (`CheckpointError`, E-WEIGHTS) what is too much."""

    def __init__(self, path: Path | str):
        self.path = path
        self.size = Path(path).stat().st_size
        self.steps = self.described = 0  # so far; bytes that tensors have

    def run(self, file: IO[bytes]) -> None:
        """The next pickle of `file`. Raises what `pickletools` and a broken program raise."""
        stack: list[Any] = []
        below: list[list[Any]] = []  # the stacks below each mark
        memo: dict[int, Any] = {}
        for opcode, given, _ in pickletools.genops(file):
            self._spend(1)
            name = opcode.name
            if name in PLAIN:
                stack.append(given)
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[given] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                self._spend(parts(memo[given]) - 1)
                stack.append(memo[given])
            elif name == "MARK":
                below.append(stack)
                stack = []
            elif name in CONSTANTS:
                stack.append(CONSTANTS[name])
            elif name == "GLOBAL":
                stack.append(Name(given.replace(" ", ".").replace("__builtin__.", "builtins.")))
            elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET"):
                stack.append(Built())
            elif name in TUPLES:
                self._tuple(stack, TUPLES[name])
            elif name in ("TUPLE", "APPENDS", "SETITEMS"):
                items, stack = stack, below.pop()
                if name == "TUPLE":
                    self._tuple(items, len(items))
                    stack += items
                else:
                    stack[-1].parts += sum(map(parts, items))
            elif name not in ("PROTO", "STOP"):
                self._act(name, stack)

    def _act(self, name: str, stack: list[Any]) -> None:
        """The instructions that take the last values off the stack."""
        value = stack.pop()
        if name in ("APPEND", "SETITEM"):
            added = parts(value) + (parts(stack.pop()) if name == "SETITEM" else 0)
            stack[-1].parts += added
        elif name == "BINPERSID":
            stack.append(self._storage(value))
        elif name in ("REDUCE", "NEWOBJ"):
            stack.append(self._called(stack.pop(), value))
        elif name == "BUILD":  # how tensors were described once
            if isinstance(value, Built) and value.items and isinstance(value.items[0], Storage):
                self._tensor(value.items)
        else:
            raise pickle.UnpicklingError(f"{name} is none of the instructions of torch.save")

    def _spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise refused(self.path, f"more than {MOST_STEPS:,} steps to build its content",
                          f"the weights of a network, at most {MOST_TENSORS:,} tensors")

    def _tuple(self, stack: list[Any], count: int) -> None:
        """The last `count` values as one."""
        start = len(stack) - count
        stack[start:] = [Built(tuple(stack[start:]))]
        if stack[-1].depth > MOST_NESTED:
            raise refused(self.path, f"tuples nested more than {MOST_NESTED} times", "a few")

    def _storage(self, value: Any) -> Storage | None:
        """The numbers that the file tells of by ("storage", type, key, device, count, ...)."""
        if not isinstance(value, Built):  # torch says what is wrong with it
            return None
        _, kind, key, _, numel, *_ = value.items
        size = BYTES.get(kind.rpartition(".")[2].removesuffix("Storage"), 1)
        if type(numel) is not int or not 0 <= numel * size <= self.size or isinstance(key, Built):
            raise EOFError(f"a storage of {str(numel)[:40]} numbers")  # or the file is cut
        return Storage(numel, size)

    def _called(self, function: Any, given: Any) -> Built:
        """What the call of a function with a tuple of values gives."""
        items = given.items if isinstance(given, Built) else ()
        self._spend(sum(map(parts, items)))
        short = str(function).rpartition(".")[2]
        if short == "_rebuild_from_type_v2" and len(items) > 2:  # a function that is given one
            return self._called(items[0], items[2])
        if short in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3",
                     "_rebuild_qtensor") and isinstance(items[0], Storage):
            self._tensor(items)
        if (short.endswith(("Tensor", "Storage")) and function.startswith("torch.")) or (
                function == "builtins.bytearray" and any(type(item) is int for item in items)) or (
                function == "_codecs.encode" and items[1:] != ("latin1",)):
            raise refused(self.path, f"a call of {function[:60]}", "numbers that are in the file")
        return Built(items)

    def _tensor(self, items: tuple) -> None:
        """A view of a storage: (storage, offset, size, stride, ...)."""
        storage, offset, size, stride = items[0], items[1], items[2].items, items[3].items
        if not all(type(number) is int and number >= 0 for number in (offset, *size, *stride)):
            self._out_of_reach(f"a tensor of shape {str(size)[:60]} and strides {str(stride)[:60]}")
        numel, last = 1, offset
        for length, step in zip(size, stride, strict=True):
            numel, last = numel * length, last + (length - 1) * step
        if numel and last >= storage.numel:
            self._out_of_reach(f"a tensor of shape {size} over {storage.numel:,} numbers")
        self.described += numel * storage.bytes
        if self.described > 4 * self.size + SLACK:
            self._out_of_reach(f"tensors of {self.described:,} bytes")

    def _out_of_reach(self, found: str) -> NoReturn:
        raise refused(self.path, f"{found} in a file of {self.size:,} bytes",
                      "tensors that lie in the file")


def refused(path: Path | str, found: str, expected: str) -> CheckpointError:
    """The error (E-WEIGHTS) for a file that no network needs to be."""
    return CheckpointError.of("E-WEIGHTS", "this file describes more than a network is", file=path,
                              found=found, expected=expected, do="choose another file")
