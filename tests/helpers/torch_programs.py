"""Torch files written instruction by instruction: what `torch.save` never writes."""

import io
import pickle
import struct
import zipfile

ONES = b"\0\0\x80\x3f" * 4
STATE = b"ccollections\nOrderedDict\n)R"  # an empty one


def torch_zip(program, numbers=ONES):
    """A torch file of one pickle and one storage."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (("data.pkl", program), ("byteorder", b"little"), ("data/0", numbers),
                              ("version", b"3\n")):
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


def legacy(program, numbers=ONES):
    """The same in the form of before torch 1.6."""
    start = b"".join(pickle.dumps(value, 2) for value in (
        0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    program = program.replace(b"tQ", b"NtQ")  # no view of another storage
    return start + program + pickle.dumps(["0"], 2) + struct.pack("<q", len(numbers) // 4) + numbers


def text(words):
    return b"X" + struct.pack("<I", len(words.encode())) + words.encode()


def number(value):
    return pickle.dumps(value, 2)[2:-1]


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(count, kind="FloatStorage"):
    return (b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text("0") + text("cpu")
            + number(count) + b"tQ")


def tensor(size=(4,), stride=(1,), *, offset=0, count=4, function="_rebuild_tensor_v2"):
    """A tensor as the storage, the offset, the shape and the strides of it."""
    return (b"ctorch._utils\n" + function.encode() + b"\n(" + storage(count) + number(offset)
            + numbers(size) + numbers(stride) + b"\x89" + STATE + b"tR")


def weights(value, key=None):
    """A dictionary with one key."""
    return b"\x80\x02}" + (key or text("weight")) + value + b"s."


def call(module, name, *values):
    return b"c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(values) + b"tR"


NESTED = b")q\0" + 40 * b"h\0h\0\x86q\0"  # a tuple of two of a tuple of two of ...
TOO_MUCH = {  # what the error tells: the program
    "shape \\(1000,\\) over 4 numbers": weights(tensor((1000,))),
    "shape \\(2, 3\\) over 4 numbers": weights(tensor((2, 3), (3, 1))),
    "over 4 numbers in": weights(tensor(offset=1)),
    "tensors of 12,000,000,000 bytes": weights(tensor((3_000_000_000,), (0,))),
    "strides \\(-1,\\)": weights(tensor((4,), (-1,), offset=3)),
    "of shape \\(-4,\\)": weights(tensor((-4,))),
    "a storage of 3000000000 numbers": weights(tensor((3_000_000_000,), count=3_000_000_000)),
    "a storage of -4 numbers": weights(tensor(count=-4)),
    "\\(1001,\\) over 4": weights(
        tensor() + b"(" + storage(4) + number(0) + numbers((1001,)) + numbers((1,)) + b"tb"),
    "call of torch.FloatTensor": weights(call("torch", "FloatTensor", number(1000))),
    "call of torch.storage.UntypedStorage": weights(
        call("torch.storage", "UntypedStorage", number(10**9))),
    "call of builtins.bytearray": weights(call("__builtin__", "bytearray", number(3 * 10**9))),
    "bytearray ": weights(call("torch._tensor", "_rebuild_from_type_v2", b"cbuiltins\nbytearray\n",
                               b"ctorch\nTensor\n", numbers((3 * 10**9,)), STATE)),
    "call of _codecs.encode": weights(call("_codecs", "encode", text(
        "".join(map(chr, range(200, 30_000)))), text("punycode"))),
    "1,000,000 steps to": weights(number(1), NESTED),
    "1,000,000 steps": weights(b"](" + 300_000 * b"K\1" + b"eq\0]("
                               + 20_000 * b"cbuiltins\nset\nh\0\x85R" + b"e"),
    "nested more than 100 times": weights(number(1), b")" + 400_000 * b"\x85"),
}
# a checkpoint with the identity [[[... 2**59 lists]]]; they are filled after they were used
LISTS = (b"\x80\2" + b"".join(b"]q" + bytes([at]) for at in range(60))
         + b"".join(b"h" + bytes([at]) + b"(" + 2 * (b"h" + bytes([at + 1])) + b"e"
                    for at in range(59))
         + b"}" + text("identity") + b"}" + text("row_id") + b"h\0ss" + text("step") + number(20)
         + b"s.")
