"""Commands that errors and READMEs tell people to type: the parser takes every one of them."""

import ast
import re
import shlex

import click
import pytest

from deeplab.cli.main import main
from deeplab.support.folders import PROJECT

READMES = ("README.md", "data/README.md", "results/README.md")
OF_OTHERS = {"--nproc-per-node", "--nnodes", "--node-rank",  # torchrun
             "--resources", "--shm-size"}  # dask, docker
A_WORD = "voc"  # in the place of what an f-string fills in
COMMAND = re.compile(r"(?<![\w/.-])deeplab (?=[a-z])")


def words_of(node):
    """The text of an expression: constants as they are, a word for all that is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(words_of(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return words_of(node.left) + (words_of(node.right) if isinstance(node.op, ast.Add) else "")
    if isinstance(node, ast.IfExp):
        return f"{words_of(node.body)}\n{words_of(node.orelse)}"
    return A_WORD


def advice():
    """(place, text) of every `do=` in the package."""
    for path in sorted((PROJECT / "deeplab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "do":
                place = f"{path.relative_to(PROJECT)}:{node.value.lineno}"
                yield place, words_of(node.value).replace("\\n", "\n")


def typed():
    """(place, command) of each line of a README's code blocks that begins with `deeplab`."""
    for name in READMES:
        text = (PROJECT / name).read_text(encoding="utf-8")
        for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().startswith("deeplab "):
                    yield name, line.strip()


def mentioned():
    """(place, text from the command on) of each command in advice, or in a README's `code`."""
    for place, text in advice():
        for found in COMMAND.finditer(text):
            yield place, re.split(r"[`;)\n]|: ", text[found.start():])[0]
    for name in READMES:
        text = (PROJECT / name).read_text(encoding="utf-8")
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for code in re.findall(r"`(deeplab [a-z][^`]*)`", prose):
            yield name, " ".join(code.split()).split(" > ")[0]


def resolved(words):
    """(command, the words after it) for words after `deeplab`; raises `KeyError`."""
    command, rest = main, list(words)
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0).rstrip(".,")]
    return command, rest


def options(command):
    return {name for item in command.params for name in (*item.opts, *item.secondary_opts)}


def every_option(group=main):
    return options(group).union(*(
        every_option(command) if isinstance(command, click.Group) else options(command)
        for command in group.commands.values()))


@pytest.mark.parametrize("place, line", [*typed()], ids=lambda value: value[:60])
def test_a_line_to_type_is_parsed(place, line):
    command, rest = resolved(shlex.split(line, comments=True)[1:])
    try:
        command.make_context(command.name, rest)
    except click.BadParameter as error:  # of the reader's own files we have none
        assert "does not exist" in error.message


@pytest.mark.parametrize("place, text", [*mentioned()], ids=lambda value: value[:60])
def test_a_command_in_a_text_exists_with_its_options(place, text):
    command, rest = resolved(text.split()[1:])
    named = {word.rstrip(".,").partition("=")[0] for word in rest if word.startswith("--")}
    assert named <= options(command)


def test_options_in_advice_exist():
    known = every_option() | OF_OTHERS
    wrong = {place: found for place, text in advice()
             for found in [set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - known] if found}
    assert not wrong


def test_the_search_finds_commands():
    assert len([*typed()]) >= 15 and len([*mentioned()]) >= 20 and len([*advice()]) > 100


@pytest.mark.parametrize("words", ["rum voc_r50_d8", "data", "data fetch voc"])
def test_a_command_that_is_not_there_is_noticed(words):
    with pytest.raises((KeyError, IndexError)):
        resolved(words.split())


def test_an_option_that_is_not_there_is_noticed():
    command, rest = resolved("run voc_r50_d8 --sead 3".split())
    with pytest.raises(click.NoSuchOption):
        command.make_context(command.name, rest)
