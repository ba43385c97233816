"""Rows on a real SLURM: whatever its jobs go through, the bits are those of an undisturbed run."""

import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from slurm import missing_programs, slurm_cluster
from small_table import (ROWS, config_of, damaged_files, environment, logged_step,
                         row_digest)

from deeplab.runs import slurm
from deeplab.runs.cluster import run_on_cluster
from deeplab.runs.sbatch import JobRequest, sbatch_script

pytestmark = [
    pytest.mark.skipif(bool(missing_programs()), reason="needs SLURM: apt-get install slurmctld "
                       f"slurmd slurm-client munge (missing: {', '.join(missing_programs())})"),
    pytest.mark.skipif(os.geteuid() != 0, reason="SLURM's daemons are started as root here")]
needs_dask = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("distributed", "dask_jobqueue")),
    reason="the optional extra [cluster] is not installed")
SMALL = JobRequest(hours=0.5, cores=1, memory_gb=4, gpus=0, gpu_type=None, reason="a test")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def configs(data_root, tmp_path):
    return [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]


class Table:
    """The rows of `configs` as an array of jobs."""

    def __init__(self, cluster, configs, folder, *, request=SMALL, directives=(), pause="0.5"):
        self.cluster, self.configs = cluster, configs
        self.script = folder / "rows.sh"
        self.script.write_text(sbatch_script(configs, request, directives=directives))
        self.environment = cluster.environment | environment(
            TEST_QUICK="1", TEST_PAUSE=pause) | {"PATH": cluster.environment["PATH"],
                                                 "SLURM_CONF": cluster.environment["SLURM_CONF"]}
        self.job = self.submit()

    def submit(self):
        done = subprocess.run(["sbatch", "--parsable", str(self.script)], capture_output=True,
                              text=True, env=self.environment, check=True)
        return done.stdout.strip()

    def wait_for_step(self, task, step=2):
        deadline = time.monotonic() + 120
        while logged_step(self.configs[task].folder) < step:
            assert time.monotonic() < deadline, self.log(task)
            time.sleep(0.1)

    def log(self, task):
        path = self.configs[task].folder / "slurm.log"
        return path.read_text() if path.exists() else "no log"

    def finish(self, references):
        """Wait for the end; every row has the bits of its reference and nothing lies about."""
        for task, config in enumerate(self.configs):
            state = self.cluster.wait(f"{self.job}_{task}", "COMPLETED", "FAILED", "CANCELLED",
                                      "TIMEOUT", seconds=240)
            assert state == "COMPLETED", self.log(task)
            assert row_digest(config.folder) == references[config.row.row_id]
            assert "Traceback" not in self.log(task)
        assert damaged_files(self.configs[0].results_root) == []


def restarts(cluster, job):
    text = cluster.run("scontrol", "show", "job", job, "--oneliner")
    return int(text.partition("Restarts=")[2].partition(" ")[0])


@pytest.mark.parametrize("words", [("scancel", "--signal=USR1"),
                                   ("scancel", "--batch", "--signal=USR1"),
                                   ("scontrol", "requeue")],
                         ids=["signal to the step", "signal to the shell", "requeue"])
def test_a_disturbed_array_ends_with_the_same_bits(cluster, configs, references, tmp_path, words):
    table = Table(cluster, configs, tmp_path)
    table.wait_for_step(0)
    cluster.run(*words, f"{table.job}_0")
    table.finish(references)
    assert restarts(cluster, f"{table.job}_0") == 1 and restarts(cluster, f"{table.job}_1") == 0


def test_a_preempted_row_goes_on_when_the_nodes_are_free(cluster, configs, references, tmp_path):
    table = Table(cluster, configs[:1], tmp_path)
    table.wait_for_step(0)
    urgent = cluster.run("sbatch", "--parsable", "--partition=high", "--exclusive", "--nodes=2",
                         "--output=/dev/null", "--wrap", "sleep 2")
    cluster.wait(urgent, "COMPLETED")
    table.finish(references)
    assert restarts(cluster, f"{table.job}_0") == 1


def test_a_row_longer_than_its_time_limit_takes_several_jobs(
        cluster, configs, references, tmp_path):
    """A minute is SLURM's shortest limit; the row takes longer."""
    request = JobRequest(hours=1 / 60, cores=1, memory_gb=4, gpus=0, gpu_type=None, reason="short")
    table = Table(cluster, configs[:1], tmp_path, request=request,
                  directives=["--signal=B:USR1@10"], pause="9")
    table.finish(references)
    assert restarts(cluster, f"{table.job}_0") >= 1


def test_a_cancelled_row_is_submitted_again_and_goes_on(cluster, configs, references, tmp_path):
    table = Table(cluster, configs[:1], tmp_path)
    table.wait_for_step(0)
    cluster.run("scancel", table.job)
    cluster.wait(f"{table.job}_0", "CANCELLED", "FAILED")
    table.job = table.submit()
    table.finish(references)


@pytest.mark.parametrize("words", [
    pytest.param((), id="undisturbed"),
    pytest.param(("scancel", "--signal=USR1"), id="signal to the step"),
    pytest.param(("scancel", "--batch", "--signal=USR1"), id="signal to the shell")])
def test_a_row_on_two_nodes_ends_with_the_bits_of_one_on_one_machine(
        cluster, data_root, tmp_path, two_processes, words):
    config = config_of(ROWS[0], tmp_path / "results", data_root, processes=2)
    table = Table(cluster, [config], tmp_path, request=replace(SMALL, nodes=2), pause="0.3")
    table.wait_for_step(0)
    if words:
        cluster.run(*words, f"{table.job}_0")
    table.finish({ROWS[0]: two_processes})
    assert restarts(cluster, f"{table.job}_0") == bool(words)
    assert processes_of(config) == []


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory, data_root):
    """The digest of a row in two processes on one machine."""
    config = config_of(ROWS[0], tmp_path_factory.mktemp("two"), data_root, processes=2)
    subprocess.run([sys.executable, "-m", "deeplab", *config.command], check=True,
                   env=environment(TEST_QUICK="1", OMP_NUM_THREADS="2"), capture_output=True)
    return row_digest(config.folder)


def processes_of(config, seconds=30):
    """The processes that still name the results of a run, `seconds` later at most."""
    deadline = time.monotonic() + seconds
    while True:
        listed = subprocess.run(["ps", "-eo", "pid,args", "-ww"], capture_output=True, text=True)
        found = [line for line in listed.stdout.splitlines() if str(config.results_root) in line]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def test_a_folder_that_the_node_does_not_see_is_the_first_thing_said(cluster, configs, tmp_path):
    lost = [config_of(ROWS[0], tmp_path / "results", tmp_path / "nowhere")]
    table = Table(cluster, lost, tmp_path)
    assert cluster.wait(f"{table.job}_0", "COMPLETED", "FAILED") == "FAILED"
    assert table.log(0).startswith("E-JOB ") and "nowhere" in table.log(0).splitlines()[0]


def test_the_report_waits_for_the_rows(cluster, configs, tmp_path):
    script = tmp_path / "rows.sh"
    script.write_text(sbatch_script(configs[:1], SMALL))
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=True,
                          env=cluster.environment | environment(TEST_QUICK="1"))
    report = done.stdout.split()[-1]
    assert "afterany" in cluster.run("scontrol", "show", "job", report, "--oneliner")
    cluster.run("scancel", report)
    assert sys.executable.rpartition("/")[0] in script.read_text()


def test_status_knows_the_jobs_of_the_rows(cluster, configs, tmp_path):
    waiting = Table(cluster, configs, tmp_path, directives=["--begin=now+1hour"])
    lines = [f"SLURM job {waiting.job}_{task} is pending (BeginTime)" for task in range(2)]
    deadline = time.monotonic() + 60  # SLURM gives a reason when it first looks at a job
    while not all(line in (shown := shown_status(waiting)) for line in lines):
        assert time.monotonic() < deadline, shown
        time.sleep(0.5)
    cluster.run("scancel", waiting.job)


def shown_status(table):
    """What `deeplab status` says of the rows of a table."""
    return subprocess.run(
        [sys.executable, "-m", "deeplab", "status", "--results",
         str(table.configs[0].results_root)],
        capture_output=True, text=True, env=table.environment, check=True).stdout


def test_status_knows_a_job_queued_again_and_how_a_lost_one_ended(cluster, configs, tmp_path):
    table = Table(cluster, configs[:1], tmp_path)
    table.wait_for_step(0)
    cluster.run("scontrol", "requeuehold", f"{table.job}_0")
    cluster.wait(f"{table.job}_0", "PENDING")
    assert re.search(rf"SLURM job {table.job}_0 is pending \(.+\), queued again 1 times",
                     shown_status(table))
    cluster.run("scancel", table.job)
    cluster.wait(f"{table.job}_0", "CANCELLED")
    assert re.search(r"its SLURM job [\d_]+ has ended: cancelled\n *go on with: deeplab run",
                     shown_status(table))


def deeplab_table(cluster, configs, *words, pause="0.5"):
    """`deeplab table --cluster slurm` over `configs`, started."""
    first = configs[0]
    rows = [word for config in configs for word in ("--rows", config.row.row_id)]
    return subprocess.Popen(
        [sys.executable, "-m", "deeplab", "table", *rows, "--cluster", "slurm",
         "--results", str(first.results_root), "--data-root", str(first.data_root), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=cluster.environment | environment(TEST_QUICK="1", TEST_PAUSE=pause) | {
            "PATH": cluster.environment["PATH"], "DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__STATUS":
            "", "PYTHONUNBUFFERED": "1"})


def jobs_of(cluster):
    return cluster.run("squeue", "-h", "-o", "%A").split()


@needs_dask
def test_a_row_whose_job_is_cancelled_goes_on_in_a_new_one(cluster, configs, references):
    table = deeplab_table(cluster, configs[:1])
    deadline = time.monotonic() + 120
    while logged_step(configs[0].folder) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    (job,) = jobs_of(cluster)
    cluster.run("scancel", job)
    output, _ = table.communicate(timeout=200)
    assert table.returncode == 0, output
    assert row_digest(configs[0].folder) == references[ROWS[0]]
    assert "Traceback" not in output and jobs_of(cluster) == []


@needs_dask
def test_a_row_whose_job_is_out_of_time_goes_on_in_a_new_one(cluster, configs, references):
    """A minute is SLURM's shortest limit; the row takes longer."""
    table = deeplab_table(cluster, configs[:1], "--directive=--time=1", pause="8")
    output, _ = table.communicate(timeout=330)
    assert table.returncode == 0, output
    assert row_digest(configs[0].folder) == references[ROWS[0]]
    assert "Traceback" not in output and jobs_of(cluster) == []
    jobs = len(list((configs[0].results_root / "slurm").glob("*.out")))
    assert jobs > 1


@needs_dask
def test_a_job_that_slurm_refuses_ends_the_table_with_its_sentence(cluster, configs):
    start = time.monotonic()
    table = deeplab_table(cluster, configs[:1], "--directive=--partition=nosuch")
    output, _ = table.communicate(timeout=60)
    assert table.returncode == 2 and time.monotonic() - start < 30
    assert "E-CLUSTER SLURM refuses the job" in output and "invalid partition" in output.lower()
    assert "Traceback" not in output


@needs_dask
def test_a_table_whose_job_waits_says_for_what_until_it_begins(cluster, configs, monkeypatch):
    """A node that is drained, and in service again once this has been said."""
    for name, value in environment(TEST_QUICK="1").items():
        monkeypatch.setenv(name, value)
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setattr(slurm, "SILENT_SECONDS", 5)
    cluster.run("scontrol", "update", "NodeName=node2", "State=DRAIN", "Reason=a test")
    said = []

    def say(text):
        said.append(text)
        if "pending: " in text:
            cluster.run("scontrol", "update", "NodeName=node2", "State=RESUME")

    codes = run_on_cluster(configs[:1], "slurm", SMALL, directives=["--nodelist=node2"], say=say)
    assert codes == {ROWS[0]: 0}, said
    first = next(text for text in said if "pending" in text)
    assert re.search("no job has started yet; pending: .*(ReqNodeNotAvail|Resources|Priority)",
                     first), said
