"""The promises of the layout, read from the source: who imports whom, who writes, how long."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "deeplab"
MODULES = {".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
           for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
NODES = {name: [*ast.walk(tree)] for name, tree in TREES.items()}

# From bottom to top: a room imports only from rooms below it. Those in one band do not know
# each other.
BANDS = [{"support"}, {"evaluation", "data", "profiles"}, {"model", "table", "prepare"},
         {"weights", "training"}, {"miniature"}, {"runs"}, {"planning", "report"},
         {"cli", "figures"}, {"course"}]
METHOD = ("model", "data", "evaluation", "training")
TIMES = ("timeout", "patience", "wait", "seconds", "lease")  # parameters that hold seconds
ALLOWED = ("cv2.setNumThreads(0)",)  # set on import: OpenCV leaves the cores to the loaders
NOT_OF_THE_PACKAGE = {"helpers", "reference", "cluster", "gpu", "browser", "site"}  # of tests

# What a stranger may look for: the file in which it lies, and what names it there.
WHERE = {
    "the atrous convolution": ("model/atrous.py", "def conv_bn_relu"),
    "Eq. (1)": ("model/atrous.py", "def atrous_conv1d"),
    "strides traded for rates": ("model/backbone.py", "def stage_plan"),
    "the pyramid": ("model/aspp.py", "class ASPP"),
    "the network of a row": ("model/network.py", "def build_model"),
    "the poly schedule": ("training/recipe.py", "def poly_lr"),
    "a training step": ("training/loop.py", "def train_step"),
    "a checkpoint": ("training/checkpoint.py", "class Checkpoints"),
    "the random crop": ("data/augment.py", "def random_crop"),
    "the order of the images": ("data/sampling.py", "def epoch_order"),
    "mIoU": ("evaluation/metrics.py", "def mean_iou"),
    "the sliding window": ("evaluation/inference.py", "def slide_inference"),
    "the published numbers": ("table/rows.csv", "voc_r50_d8"),
    "whether a number is reproduced": ("table/verdict.py", "def verdict"),
    "the addresses of the datasets": ("prepare/sources.json", "host.robots.ox.ac.uk"),
    "the drawn cows": ("miniature/scenes.json", '"cow"'),
    "the V100's memory": ("planning/gpus.py", 'Gpu("V100-16", 16'),
    "the SLURM script": ("runs/sbatch.py", "def sbatch"),
    "the only proof that a row is done": ("runs/result.py", "result.json"),
    "the exit codes": ("support/errors.py", "exit_code"),
    "the published weights": ("weights/published.py", "ssseg_deeplabv3"),
    "the report's page": ("report/html.py", "def html_page"),
    "the check of exercise 5.2": ("course/aspp/checks.py", '@exercise("5.2"'),
    "the rate explorer": ("course/atrous/explorer.py", "def explore"),
}


WRITERS = {"deeplab.support.files", "deeplab.support.folders",  # everything
           "deeplab.support.locks",  # lock files, which hold no data
           "deeplab.support.download"}  # a part of a download, to which the next try appends
WRITING_CALLS = {"write_text", "write_bytes", "to_csv", "to_json", "to_pickle", "to_html",
                 "to_excel", "savez", "savez_compressed", "savetxt", "save_file", "imwrite",
                 "mkstemp", "copyfile", "copy2", "copytree"}
SAVING_CALLS = {"save", "savefig", "dump"}  # allowed into an open file or a buffer, not to a path
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".csv", ".ipynb", ".txt", ".lock",
        ".cfg", ".js", ".css"}
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|Users|work|mnt|data/home|private|scratch)/\w")


def room(module):
    """The room of a module: the folder, or the file, of the package that it lies in."""
    return module.split(".")[1] if "." in module else "deeplab"


def band(module):
    """The index in BANDS of a module's room; the package itself and `__main__` stand above all."""
    return next((index for index, rooms in enumerate(BANDS) if room(module) in rooms), len(BANDS))


def imports(name):
    """The modules of this package that `name` imports, anywhere in it."""
    found = set()
    for node in nodes(name, ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{at(name, node)}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {module for module in found if module in MODULES} - {name, "deeplab"}


def nodes(name, *kinds):
    return [node for node in NODES[name] if isinstance(node, kinds)]


def calls(name):
    """(place, function name, dotted name, call) of every call in a module."""
    for node in nodes(name, ast.Call):
        dotted = ast.unparse(node.func)
        yield at(name, node), dotted.rpartition(".")[2], dotted, node


def functions(name):
    return nodes(name, ast.FunctionDef, ast.AsyncFunctionDef)


def at(name, node):
    return f"{MODULES[name].relative_to(PROJECT)}:{node.lineno}"


def tracked_texts():
    """The text files of the project that git knows, or all where there is no git."""
    listed = subprocess.run(["git", "-C", str(PROJECT), "ls-files", "-z"], capture_output=True,
                            text=True)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [
        path.relative_to(PROJECT).as_posix() for path in PROJECT.rglob("*")
        if ".venv" not in path.parts]
    paths = [PROJECT / name for name in names if name]
    return [path for path in paths if path.is_file() and (path.suffix in TEXT or not path.suffix)]


def test_imports_run_one_way():
    wrong = [f"{name} imports {other}" for name in MODULES for other in sorted(imports(name))
             if room(other) != room(name) and band(other) >= band(name)]
    assert not wrong


def test_every_room_is_in_a_band():
    rooms = {room(name) for name in MODULES} - {"deeplab", "__main__"}
    assert rooms == set().union(*BANDS)


@pytest.mark.parametrize("what", WHERE)
def test_a_stranger_finds(what):
    file, name = WHERE[what]
    assert name in (PACKAGE / file).read_text(encoding="utf-8")


def test_tests_mirror_the_package():
    """Every room has its tests, and a test of one module lies where the module lies."""
    def folders(top):
        return {path.parent.relative_to(top).as_posix() for path in top.rglob("*.py")
                if path.name.startswith("test_") or top == PACKAGE}
    tests = PROJECT / "tests"
    assert folders(tests) - NOT_OF_THE_PACKAGE == folders(PACKAGE)
    places = {}
    for path in PACKAGE.rglob("*.py"):
        places.setdefault(path.stem, set()).add(path.parent.relative_to(PACKAGE))
    assert not [path for path in tests.rglob("test_*.py")
                if len(found := places.get(path.stem.removeprefix("test_"), set())) == 1
                and path.parent.relative_to(tests) not in found
                and path.relative_to(tests).as_posix() != "training/test_resume.py"]


def test_the_door_names_the_17_files_of_the_method():
    named = re.findall(r"^(\w+)/(\w+)  ", ast.get_docstring(TREES["deeplab"]), re.MULTILINE)
    assert len(named) == len(set(named)) == 17
    assert not [pair for pair in named if f"deeplab.{'.'.join(pair)}" not in MODULES]
    assert list(dict.fromkeys(folder for folder, _ in named)) == ["model", "data", "training",
                                                                  "evaluation"]


def test_the_face_of_a_room_names_its_modules():
    unnamed = [name for name in MODULES if name.count(".") == 2
               and not name.startswith(("deeplab.course.", "deeplab.cli.main"))
               and f"`{name.rpartition('.')[2]}`" not in ast.get_docstring(
                   TREES[name.rpartition(".")[0]])]
    assert not unnamed, "the docstring of the room's __init__ says what each module is for"


def test_the_map_of_the_readme_shows_every_room():
    text = (PROJECT / "README.md").read_text(encoding="utf-8").partition("## What lies where")[2]
    shown = re.findall(r"^  (\w+)(?:/|\.py) ", text, re.MULTILINE)
    assert set(shown) == set().union(*BANDS) and len(shown) == len(set(shown))


def test_no_module_is_imported_in_a_circle():
    graphlib.TopologicalSorter({name: imports(name) for name in MODULES}).prepare()


def test_what_computes_does_not_draw():
    wrong = [at(name, node) for name in MODULES
             if room(name) not in ("figures", "course")
             for node in nodes(name, ast.Import, ast.ImportFrom)
             if re.search("matplotlib|seaborn", ast.unparse(node))]
    assert not wrong


@pytest.mark.parametrize("statement", ["import deeplab", "import deeplab.cli",
                                       "import deeplab.table.rows",
                                       "import deeplab.report.results"])
def test_what_answers_at_once_loads_no_torch(statement):
    code = f"import sys; {statement}; print(*sorted({{'torch', 'papermill'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("\n", "")


def opens_for_writing(call):
    """Whether a call of `open(path, mode)` or `path.open(mode)` names a mode that writes."""
    is_method = isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name)
    modes = [*call.args[0 if is_method else 1:],
             *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and isinstance(mode.value, str)
               and set(mode.value) & set("wax+") for mode in modes)


def gives_text(function, call):
    """Whether a call of a table's writer is given no file, so that it returns the text."""
    return (function in ("to_csv", "to_json", "to_html") and not call.args
            and "path_or_buf" not in [keyword.arg for keyword in call.keywords])


def saves_to_a_path(dotted, call):
    """Whether a call of a saving function is given a path and not an open file or a buffer."""
    if dotted == "safetensors.torch.save":  # returns bytes
        return False
    target = call.args[1 if dotted in ("torch.save", "json.dump") else 0]
    return bool(re.search("path|folder|root|name|'|/", ast.unparse(target).lower()))


def test_only_the_atomic_writer_writes():
    wrong = [f"{place}: {dotted}" for name in sorted(set(MODULES) - WRITERS)
             for place, function, dotted, call in calls(name)
             if function in WRITING_CALLS and not gives_text(function, call)
             or function in ("open", "fdopen") and opens_for_writing(call)
             or function in SAVING_CALLS and saves_to_a_path(dotted, call)]
    assert not wrong, "use deeplab.support.files"


@pytest.mark.parametrize("code, is_caught", [
    ("open(path, 'w')", True), ("open(path, mode='ab')", True), ("open(path)", False),
    ("folder.joinpath('x').open('x')", True), ("open(path, 'rb')", False)])
def test_the_search_for_writers_finds_them(code, is_caught):
    assert opens_for_writing(ast.parse(code).body[0].value) == is_caught


@pytest.mark.parametrize("code, is_caught", [
    ("torch.save(state, path)", True), ("torch.save(state, file)", False),
    ("figure.savefig('x.png')", True), ("image.save(buffer, 'PNG')", False),
    ("safetensors.torch.save(tensors)", False), ("np.save(folder / name, array)", True)])
def test_the_search_for_savers_finds_them(code, is_caught):
    call = ast.parse(code).body[0].value
    assert saves_to_a_path(ast.unparse(call.func), call) == is_caught


def test_nothing_is_loaded_that_could_run_code():
    wrong = []
    for name in MODULES:
        for place, function, dotted, call in calls(name):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if (dotted == "torch.load" and given.get("weights_only") != "True"
                    or given.get("allow_pickle", "False") != "False" or "shell" in given
                    or dotted in ("eval", "exec", "os.system", "yaml.load")):
                wrong.append(f"{place}: {dotted}")
        wrong += [f"{at(name, node)}: pickle.{node.attr}" for node in nodes(name, ast.Attribute)
                  if ast.unparse(node.value) == "pickle" and node.attr != "UnpicklingError"]
        wrong += [f"{at(name, node)}: {ast.unparse(node)}"
                  for node in nodes(name, ast.Import, ast.ImportFrom)
                  if ast.unparse(node) != "import pickle" and UNSAFE_MODULES & {
                      getattr(node, "module", ""), *(alias.name for alias in node.names)}]
    assert not wrong


def test_images_are_decoded_by_pillow_alone():
    pattern = re.compile(r"imread|imdecode|torchvision\.io|decode_(png|jpeg|image)")
    assert not [name for name in MODULES
                if pattern.search(MODULES[name].read_text(encoding="utf-8"))]


def test_a_module_is_one_idea_of_readable_size():
    lines = {name: path.read_text(encoding="utf-8").splitlines() for name, path in MODULES.items()}
    assert not {name: len(text) for name, text in lines.items() if len(text) > 220}
    assert not [f"{MODULES[name].relative_to(PROJECT)}:{number}" for name, text in lines.items()
                for number, line in enumerate(text, 1) if len(line) > 100]


def test_functions_are_short():
    lengths = {f"{at(name, node)} {node.name}": node.end_lineno - node.lineno + 1
               for name in MODULES for node in functions(name)}
    assert not {place: length for place, length in lengths.items() if length > 50}
    assert sorted(lengths.values())[len(lengths) // 2] <= 12


def test_public_functions_have_few_parameters():
    """But the commands, which have one per option, and the constructors of the networks."""
    counts = {f"{at(name, node)} {node.name}": sum(map(len, (
        node.args.posonlyargs, node.args.args, node.args.kwonlyargs)))
        for name in MODULES if room(name) != "cli" for node in functions(name)
        if not node.name.startswith("_") or node.name == "__init__" and room(name) != "model"}
    assert not {place: count for place, count in counts.items() if count > 9}


def test_the_method_is_an_evenings_reading():
    assert sum(len(path.read_text(encoding="utf-8").splitlines())
               for name, path in MODULES.items() if room(name) in METHOD) <= 3300


def test_a_constant_in_seconds_says_so():
    wrong = []
    for name, path in MODULES.items():
        lines = path.read_text(encoding="utf-8").splitlines()
        wrong += [f"{at(name, node)}: {ast.unparse(node)}" for node in TREES[name].body
                  if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                  and re.search(r"#.*\b(seconds|minutes)\b", lines[node.lineno - 1])
                  and not ast.unparse(node.targets[0]).endswith("_SECONDS")]
        for place, function, dotted, call in calls(name):
            waits = [keyword.value for keyword in call.keywords if keyword.arg in TIMES]
            waits += call.args if function in ("sleep", "wait", "alarm") else []
            wrong += [f"{place}: {ast.unparse(wait)}" for wait in waits
                      if re.fullmatch(r"(\w+\.)?[A-Z][A-Z_]+", ast.unparse(wait))
                      and not ast.unparse(wait).endswith("_SECONDS")]
    assert not wrong


def test_everything_public_is_explained():
    silent = [name for name, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]
    for name, tree in TREES.items():
        bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef)
                               and not node.name.startswith("_"))]
        silent += [f"{at(name, node)} {node.name}" for body in bodies for node in body
                   if isinstance(node, (ast.ClassDef, ast.FunctionDef))
                   and not node.name.startswith("_") and not ast.get_docstring(node)
                   and node.name not in ("forward", "invoke")]
    assert not silent


def test_nothing_happens_on_import():
    assert not [at(name, node) for name in set(MODULES) - {"deeplab.__main__"}
                for node in TREES[name].body
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                and ast.unparse(node) not in ALLOWED]


def test_errors_are_raised_and_never_asserted_or_swallowed():
    wrong = [at(name, node) for name in MODULES
             for node in nodes(name, ast.Assert, ast.ExceptHandler)
             if isinstance(node, ast.Assert) or node.type is None]
    assert not wrong


def test_no_file_knows_this_machine_or_its_neighbours():
    here = Path(__file__).relative_to(PROJECT)
    for path in tracked_texts():
        text, name = path.read_text(encoding="utf-8", errors="replace"), path.relative_to(PROJECT)
        if name != here:
            assert str(PROJECT) not in text, f"{name} holds the path of this project"
            found = MACHINE_PATH.search(text)
            assert not found, f"{name}: {found and text[found.start():found.end() + 40]!r}"
        if name.parts[0] != "tests":
            assert "../shared" not in text, f"{name} needs a folder outside the project"


def test_the_modules_and_files_that_texts_name_exist():
    """In prose, docstrings, messages and notebooks, too."""
    wrong = []
    for path in tracked_texts():
        text = path.read_text(encoding="utf-8", errors="replace")
        modules = {PROJECT / name.replace(".", "/")
                   for name in re.findall(r"\bdeeplab(?:\.[a-z]\w*){1,2}", text)}
        named = {PROJECT / name for name in re.findall(
            r"(?<![\w/.-])(?:deeplab|tests|benchmarks)/[\w/]+\.(?:py|json|csv|md)\b", text)}
        wrong += [f"{path.relative_to(PROJECT)} names {place.relative_to(PROJECT)}"
                  for place in sorted(modules | named) if not any(found.exists() for found in (
                      place, place.with_suffix(".py"), place.parent.with_suffix(".py")))]
    assert not wrong


def requirements():
    """name -> floor, as pyproject.toml states it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups()
                for line in project["dependencies"]), project["requires-python"]


def test_the_conda_environment_asks_for_what_pyproject_asks_for():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    floors = dict(line.split(">=") for line in [*conda, *pip["pip"]] if ">=" in line)
    floors["torch"] = floors.pop("pytorch")
    needed, python = requirements()
    assert floors.pop("python") == python.removeprefix(">=")
    assert floors == needed
    assert environment["name"] == "deeplab" and pip["pip"][-1] == "-e ."
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_the_lock_satisfies_every_floor():
    locked = dict(re.findall(r"^([\w.-]+)==([\d.]+)", (PROJECT / "requirements.lock").read_text(),
                             re.MULTILINE))
    needed, _ = requirements()

    def key(version):
        return [int(part) for part in version.strip(".").split(".")]
    assert needed.keys() <= locked.keys()
    assert not [name for name, floor in needed.items() if key(locked[name]) < key(floor)]
