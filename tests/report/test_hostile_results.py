"""Results folders of strangers: a line for each, no file outside touched, no script run."""

import functools
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import hostile_results as hostile
import pytest
from click.testing import CliRunner
from results_folders import result_facts, write_run
from sentinel import digest, plant, told

from deeplab.cli.main import main
from deeplab.report.report import Report
from deeplab.report.results import collect
from deeplab.runs import run_row
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import fingerprint, surroundings
from deeplab.support.errors import DeeplabError, ResourceError
from deeplab.support.files import write_json
from deeplab.training.checkpoint import Checkpoints

ROW = "voc_r50_d8"
BROWSER_SECONDS = 60


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A tree that no command may touch; it is compared when all tests are through."""
    folder = plant(tmp_path_factory.mktemp("outside") / "outside")
    before = digest(folder)
    yield folder
    assert digest(folder) == before


@functools.cache
def mark(row_id=ROW):
    return fingerprint(RunConfig.of(row_id=row_id, profile="full"))


def sound(root, seed, row_id=ROW, **facts):
    """A run that ended and fits; its config."""
    config = RunConfig.of(row_id=row_id, profile="full", seed=seed, results_root=str(root))
    write_run(config, mark(row_id), facts=result_facts(config, **facts))
    return config


def spoilt(root, outside, cases):
    """A run for each case, with seeds from 1, and a sound one; {seed: name of the case}."""
    sound(root, 0, miou=77.5)
    for seed, change in enumerate(cases.values(), start=1):
        change(sound(root, seed).folder, outside)
    return dict(enumerate(cases, start=1))


def invoke(*words):
    """The result of a command, which must not have ended in a traceback nor told the secret."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert isinstance(done.exception, (SystemExit, type(None))), (words, done.exception)
    assert told([done.output]) == [] and done.output.replace("\n", "").isprintable()
    return done


def test_more_than_a_hundred_folders_are_tried():
    assert len(hostile.DAMAGED) >= 100 and len(hostile.CHECKPOINTS) >= 10


def test_every_damaged_folder_is_a_line_of_status_beside_the_sound_one(tmp_path, outside):
    names = spoilt(tmp_path, outside, hostile.DAMAGED)
    states = {entry["seed"]: entry["state"] for entry in collect(tmp_path, "full")}
    assert states.pop(0) == "done"
    assert {names[seed]: state for seed, state in states.items() if state != "damaged"} == {}
    shown = invoke("status", "--profile", "full", "--results", tmp_path)
    assert shown.exit_code == 3 and shown.stdout.count(" damaged ") == len(names) == len(states)
    assert len(shown.stdout.splitlines()) == 1 + 3 * len(names)
    assert f"{ROW:<18} done" in shown.stdout and "--profile full --seed 7 --again" in shown.stdout


@pytest.fixture
def started(monkeypatch):
    """Runs come as far as their notebook, which looks at the checkpoints and ends with 1."""
    def execute(notebook, draft, parameters, *, folder):
        Checkpoints(folder / "checkpoints", {}).load()
        raise DeeplabError.of("E-STARTED", "the notebook has begun")
    monkeypatch.setattr(run_row, "execute", execute)
    monkeypatch.setattr(run_row, "data_identity", lambda config: None)


@pytest.mark.parametrize("group, codes, codes_again", [
    ("RESULTS", {3}, {1}), ("FOLDERS", {5}, {5}), ("CHECKPOINTS", {3, 4}, {1, 4}),
    ("RECORDS", {0, 3}, {0, 1}), ("LOGS", {0}, {0}),  # 0: what is spoilt is not gone by
    ("OTHERS", {1, 5}, {1, 5})])
def test_a_run_of_a_spoilt_folder_refuses_it_and_again_sets_it_aside(
        tmp_path, outside, started, group, codes, codes_again):
    names = spoilt(tmp_path, outside, getattr(hostile, group))
    for seed, name in names.items():
        words = ["run", ROW, "--profile", "full", "--seed", seed, "--results", tmp_path]
        if group in ("CHECKPOINTS", "OTHERS"):
            (tmp_path / "full" / ROW / f"seed{seed}" / "result.json").unlink()
        first, second = invoke(*words), invoke(*words, "--again")
        assert first.exit_code in codes, (name, first.output)
        assert second.exit_code in codes_again, (name, second.output)
        aside = tmp_path / "full" / ROW / f"seed{seed}.old-damaged"
        assert aside.exists() == (second.exit_code == 1 and group != "OTHERS"), name


def test_a_report_does_not_write_through_links(tmp_path, outside):
    for name in ("", "figures"):
        place = tmp_path / str(len(name)) / "full" / name
        place.parent.mkdir(parents=True)
        place.symlink_to(outside / "deep")
        with pytest.raises(ResourceError, match="E-LINK"):
            Report.make(tmp_path / str(len(name)), "full")


def test_names_that_are_no_seeds_are_no_runs(tmp_path):
    for name in ("seed²", "seed007", "seed-1", "seed" + "9" * 200, "seed٣", "seed", "seed0.old"):
        (tmp_path / "full" / ROW / name).mkdir(parents=True)
    assert collect(tmp_path, "full") == []


@pytest.fixture(scope="module")
def requests():
    """(address, paths asked for) of a server that any page on this machine could reach."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()


@pytest.fixture(scope="module")
def reported(tmp_path_factory, outside, requests):
    """The folder of a report over spoilt runs and over sound ones that are full of markup."""
    root, names = tmp_path_factory.mktemp("results"), [
        text.replace("127.0.0.1:PORT", requests[0]) for text in hostile.SCRIPTS]
    with pytest.MonkeyPatch.context() as patch:
        entries = tmp_path_factory.mktemp("entries")
        patch.setenv("DEEPLAB_DATASETS", str(entries))
        write_json(entries / "leaf.json", {
            "title": names[0], "resize": [300, 200], "ignored": [255],
            "layout": {"folders": ["leaf"], "images": "{split}/{id}.jpg",
                       "labels": "{split}/{id}.png"},
            "classes": [{"raw": raw, "name": name, "color": [raw, 0, 0]}
                        for raw, name in enumerate(names)]})
        damaged = spoilt(root, outside, hostile.DAMAGED)
        sound(root, 0, "leaf_r50_d8")
        for seed, text in enumerate(names, start=1000):
            config = sound(root, seed, device=text, backbone_weights=text, commit=text)
            hostile.put(config.folder, "run.json", surroundings=surroundings() | {"torch": text})
        for row_id, content in zip(("voc_r50_d16", "voc_r101_d8", "voc_r101_d16",
                                    "ade20k_r50_d8"), hostile.PUBLISHED.values(), strict=True):
            (root / "full" / row_id).mkdir(exist_ok=True)
            (root / "full" / row_id / "published.json").write_bytes(content)
        for path in (root / "full" / ROW).glob("seed*/*.json*"):
            if path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
                path.write_bytes(path.read_bytes().replace(b"127.0.0.1:PORT",
                                                           requests[0].encode()))
        done = invoke("report", "--profile", "full", "--results", root)
    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == len(damaged) + len(hostile.PUBLISHED)
    assert sum(": damaged: " in line for line in done.stderr.splitlines()) == len(
        done.stderr.splitlines())
    return root / "full"


def test_the_report_shows_the_sound_ones_and_says_of_each_other_why_not(reported):
    table = (reported / "table.md").read_text(encoding="utf-8")
    assert "1 of 16 rows done" in table and "| damaged |" in table
    page = (reported / "report.html").read_text(encoding="utf-8")
    assert page.count("damaged: E-") == len(hostile.DAMAGED) + len(hostile.PUBLISHED)
    assert "&lt;script&gt;document.title" in page  # a library's version, as a text


def test_nothing_that_is_written_holds_markup_of_a_stranger_or_a_secret(reported):
    assert told(path for path in reported.rglob("*") if path.is_file()
                and "seed" not in str(path.relative_to(reported))) == []
    page = (reported / "report.html").read_text(encoding="utf-8").lower()
    body = page.partition("<body>")[2]
    for tag in ("<script", "<meta", "<base", "<iframe", "<svg", "<link", "<form",
                'href="javascript', "<img src=x", 'src="http', 'href="http'):
        assert tag not in body, tag
    assert len(list((reported / "figures").iterdir())) >= 5
    assert not any(".." in path.name for path in (reported / "figures").iterdir())


def chromium(page):
    """The document after a browser has run what it would run of a page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium here: apt-get install chromium")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--virtual-time-budget=3000", "--dump-dom",
         f"--user-data-dir={page.parent / 'profile'}", page.as_uri()],
        capture_output=True, text=True, timeout=BROWSER_SECONDS)
    assert done.returncode == 0 and "<html" in done.stdout, done.stderr[-2000:]
    return done.stdout


def test_a_browser_runs_no_script_of_the_report_and_asks_for_nothing(reported, requests, tmp_path):
    address, asked = requests
    shutil.copy(reported / "report.html", tmp_path / "report.html")
    assert "<title>DeepLabV3: the table" in chromium(tmp_path / "report.html")
    assert asked == []
    (tmp_path / "control").mkdir()
    control = tmp_path / "control" / "page.html"
    control.write_text(f"<title>x</title><img src=http://{address}/x.png><script>"
                       f"{hostile.MARK}</script>")
    assert "<title>RAN</title>" in chromium(control) and asked == ["/x.png"]
