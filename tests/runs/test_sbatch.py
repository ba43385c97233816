"""The job script: what it asks for, what it does with a signal, and what it says first."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.planning.plan import plan
from deeplab.planning.request import MARGIN, job_request
from deeplab.runs.config import RunConfig
from deeplab.runs.sbatch import JobRequest, sbatch_script
from deeplab.support.errors import UsageError

REQUEST = JobRequest(hours=2.01, cores=5, memory_gb=23, gpus=2, gpu_type="a100", reason="because")


def configs(*rows, **given):
    return [RunConfig.of(row_id=row, **given) for row in rows]


def directives(script):
    return [line.removeprefix("#SBATCH ") for line in script.splitlines()
            if line.startswith("#SBATCH ")]


def test_it_asks_for_what_the_request_says(tmp_path):
    script = sbatch_script(configs("voc_r50_d8", "voc_r50_d16", results_root=tmp_path), REQUEST,
                           jobs=1, directives=["--partition=gpu"])
    assert {"--array=0-1%1", "--cpus-per-task=5", "--mem=23G", "--time=02:01:00",
            "--gres=gpu:a100:2", "--requeue", "--partition=gpu"} <= set(directives(script))
    assert script.splitlines()[:2] == ["#!/bin/bash", "# because"]


def test_a_demo_asks_for_no_gpu(tmp_path):
    request = job_request(configs("voc_r50_d8", results_root=tmp_path))
    assert not [line for line in request.directives if "gpu" in line]


def test_hours_are_those_of_the_plan_with_a_margin_and_an_end():
    rows = ["voc_r50_d16", "voc_r101_d8"]
    hours = max(line.hours for line in plan(rows, gpu="H100", gpus=8))
    request = job_request(configs(*rows, profile="full", gpus=8), gpu="H100", longest=1000)
    assert request.hours == pytest.approx(max(1, MARGIN * hours)) and request.gpus == 8
    assert job_request(configs(*rows, profile="full"), gpu="T4").hours == 24
    assert "voc_r101_d8" in request.reason and "H100" in request.reason


def test_cores_and_memory_grow_with_gpus_and_loaders():
    one, four = (job_request(configs("voc_r50_d8", profile="full", gpus=gpus, workers=6))
                 for gpus in (1, 4))
    assert (one.cores, four.cores) == (7, 28) and four.memory_gb > 3 * one.memory_gb


def run_script(script, tmp_path, *, task=0, code=0):
    """Run the script with a pretended srun and scontrol; returns what they were asked."""
    for name, body in (("srun", f'printf "%s\\n" "$@" > "{tmp_path}/asked-srun"; exit {code}'),
                       ("scontrol", f'echo "$@" > "{tmp_path}/asked-scontrol"')):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin", "SLURM_JOB_ID": "8", "SLURM_CPUS_PER_TASK": "2",
        "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_JOB_ID": "7"})


@pytest.mark.parametrize("task, code", [(0, 0), (1, 75), (0, 3)])
def test_a_task_runs_its_row_and_queues_itself_again_only_when_it_was_stopped(
        tmp_path, task, code):
    runs = configs("voc_r50_d8", "voc_r50_d16", results_root=tmp_path / "my results; $HOME")
    done = run_script(sbatch_script(runs, REQUEST), tmp_path, task=task, code=code)
    assert done.returncode == code
    asked = (tmp_path / "asked-srun").read_text().splitlines()
    assert asked[:4] == ["--nodes=1", "--ntasks=1", "bash", "-c"]
    assert asked[6].endswith("/deeplab") and asked[7:] == runs[task].command
    assert (tmp_path / "asked-scontrol").exists() == (code == 75)
    if code == 75:
        assert (tmp_path / "asked-scontrol").read_text() == "requeue 7_1\n"


def test_a_row_on_two_machines_asks_for_half_of_its_gpus_on_each(tmp_path):
    runs = configs("voc_r50_d8", profile="full", gpus=8, results_root=tmp_path)
    request = job_request(runs, nodes=2)
    script = sbatch_script(runs, request)
    assert {"--nodes=2", "--ntasks-per-node=1", "--gres=gpu:4", "--cpus-per-task=20"} <= set(
        directives(script))
    assert "--nnodes 2 --nproc-per-node 4" in script
    done = run_script(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked-srun").read_text().splitlines()[7:] == runs[0].command
    done = run_script(script, tmp_path, code=75)  # the ranks stopped: nothing follows
    assert done.returncode == 75 and "deeplab.runs.launch" in (tmp_path / "asked-srun").read_text()
    with pytest.raises(UsageError, match="E-NODES(.|\n)*8 ranks(.|\n)*a multiple of 3"):
        job_request(runs, nodes=3)


def test_a_folder_that_the_node_does_not_see_is_said_first(tmp_path):
    runs = configs("voc_r50_d8", results_root=tmp_path, data_root=tmp_path / "no data; here")
    done = run_script(sbatch_script(runs, REQUEST), tmp_path)
    log = (runs[0].folder / "slurm.log").read_text()
    assert done.returncode == 3 and not (tmp_path / "asked-srun").exists()
    assert log.startswith("E-JOB ") and "no data; here" in log.splitlines()[0]


def test_the_command_prints_it():
    words = ["table", "--rows", "voc_r50_*", "--seeds", "0", "--seeds", "0", "--seeds", "1",
             "--profile", "full", "--gpu", "A100-80", "--print-sbatch", "--jobs", "3"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "--array=0-3%3" in directives(result.output)  # a seed that is named twice is one
    assert "--mail-type=END,FAIL" in result.output and "export SRUN_CPUS_PER_TASK" in result.output
    assert "A100-80" in result.output.splitlines()[1]
    assert sys.executable.rpartition("/")[0] in result.output
