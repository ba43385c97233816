"""What `deeplab status` says of jobs, with programs that answer as SLURM does."""

import json

import pytest
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.runs.config import RunConfig
from deeplab.runs.queue import FIELDS, QueuedJob, comment, ending, queued_jobs
from deeplab.support.files import write_json
from deeplab.support.locks import job_of, locked


@pytest.fixture
def configs(tmp_path):
    return [RunConfig.of(row_id=row_id, seed=3, results_root=tmp_path / "my: results")
            for row_id in ("voc_r50_d8", "voc_r101_d8")]


@pytest.fixture
def answer(tmp_path, monkeypatch):
    """Let a program of SLURM print what is given, or do something else."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def make(name, text, instead=None):
        (tmp_path / "text").write_text(text)
        (tmp_path / "bin" / name).write_text(
            "#!/bin/bash\n" + (instead or f"cat '{tmp_path / 'text'}'\n"))
        (tmp_path / "bin" / name).chmod(0o755)
    return make


def squeue_line(*values):
    return "".join(f"{value:<{width}}" for value, width in zip(values, FIELDS.values())) + "\n"


def test_a_job_is_found_by_the_row_of_its_task(configs, answer):
    note = comment(configs)
    answer("squeue", squeue_line("7_1", "PENDING", 2, "Resources", note)
           + squeue_line("8_0", "PENDING", 0, "Priority", "somebody else's")
           + squeue_line("9_0", "RUNNING", 0, "None", note.replace("my", "other"))
           + squeue_line("10", "RUNNING", 0, "None", "(null)"))
    assert queued_jobs(configs[0].results_root, "demo") == {
        configs[1].folder: QueuedJob("7_1", "pending", "Resources", 2)}
    assert queued_jobs(configs[0].results_root, "full") == {}


@pytest.mark.parametrize("instead", ["exit 1", "sleep 30", "head -c 300 /dev/urandom"])
def test_a_slurm_that_does_not_answer_says_nothing(configs, answer, instead, monkeypatch):
    monkeypatch.setattr("deeplab.runs.queue.ANSWER_SECONDS", 0.5)
    answer("squeue", "", instead)
    assert queued_jobs(configs[0].results_root, "demo") == {}


def status(configs, *words):
    shown = CliRunner().invoke(main, ["status", "--results", str(configs[0].results_root), *words])
    assert shown.exit_code == 0, shown.output
    return shown.output


def stopped(config, job):
    """A run that a job began and that has stopped."""
    write_json(config.folder / "run.json", {"parameters": config.parameters})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_JOB_ID", job)
        with locked(config.folder / "lock"):
            assert job_of(config.folder / "lock") == job


def test_status_names_pending_requeued_and_lost_jobs(configs, answer):
    answer("squeue", squeue_line("7_0", "PENDING", 1, "BeginTime", comment(configs)))
    stopped(configs[0], "5")
    stopped(configs[1], "6")
    text = status(configs)
    assert "SLURM job 7_0 is pending (BeginTime), queued again 1 times" in text
    assert "its SLURM job 6 has ended: lost" in text and "SLURM job 5" not in text
    goes_on = " ".join(["go on with: deeplab", *configs[1].command[:6]])
    assert text.count(goes_on) == 1 and goes_on.endswith("--seed 3")
    assert "my: results" in text
    answer("scontrol", "JobId=6 JobName=deeplab JobState=CANCELLED Reason=None")
    assert ending("6") == "cancelled"
    answer("scontrol", "JobId=6 JobName=deeplab JobState=COMPLETING Reason=None")
    assert ending("6") == ""
    answer("sacct", "TIMEOUT\n")
    assert ending("6") == "timeout"


def test_a_row_that_only_waits_is_shown_and_json_holds_it_all(configs, answer):
    answer("squeue", squeue_line("7_1", "PENDING", 0, "Priority", comment(configs)))
    (entry,) = json.loads(status(configs, "--json"))
    assert (entry["row_id"], entry["seed"], entry["state"]) == ("voc_r101_d8", 3, "pending")
    assert entry["lines"] == ["SLURM job 7_1 is pending (Priority)"]


def test_watching_ends_when_nothing_is_at_work(configs, answer):
    answer("squeue", "")
    stopped(configs[0], "5")
    assert "stopped" in status(configs, "--watch")


def test_a_job_that_slurm_has_not_looked_at_yet_waits_for_no_reason():
    assert QueuedJob("7_1", "pending", "None", 0).line == "SLURM job 7_1 is pending"
    assert QueuedJob("7_1", "pending", "Priority", 0).line == "SLURM job 7_1 is pending (Priority)"
    assert QueuedJob("7_1", "running", "None", 2).line == (
        "SLURM job 7_1 is running, queued again 2 times")
