"""A SLURM job script for many runs: an array with a task for each, which goes on where it stopped.

A task runs `deeplab run`. Before its time is up, or when it is preempted, SLURM signals it, the
run saves its state and ends with 75, and the task puts itself back into the queue.
"""

import json
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeplab.runs.batch import row_command
from deeplab.runs.config import RunConfig
from deeplab.runs.queue import comment
from deeplab.support.errors import Stopped

SAVE_SECONDS = 120  # between SLURM's signal and the end of a job


@dataclass(frozen=True)
class JobRequest:
    """What one task asks SLURM for."""

    hours: float
    cores: int
    memory_gb: int
    gpus: int  # 0: a CPU is enough
    gpu_type: str | None  # as the site calls it, e.g. "a100"; None: any
    reason: str  # one line: where hours and memory come from
    nodes: int = 1  # machines that share each row; cores, memory and GPUs are those of one

    @property
    def walltime(self) -> str:
        """The time of a job as SLURM reads it: HH:MM:00."""
        minutes = math.ceil(self.hours * 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:00"

    @property
    def gres(self) -> list[str]:
        """The line that asks for GPUs; none where a CPU is enough."""
        kind = f"{self.gpu_type}:" if self.gpu_type else ""
        return [f"--gres=gpu:{kind}{self.gpus}"] if self.gpus else []

    @property
    def directives(self) -> list[str]:
        """The lines of a job script, without `#SBATCH`."""
        return [f"--nodes={self.nodes}", "--ntasks-per-node=1",
                f"--cpus-per-task={self.cores}", f"--mem={self.memory_gb}G",
                f"--time={self.walltime}", *self.gres]


def sbatch_script(configs: Sequence[RunConfig], request: JobRequest, *, jobs: int | None = None,
                  directives: Sequence[str] = (), again: bool = False) -> str:
    """The job script for `configs`; at most `jobs` tasks run at a time.

    `sbatch FILE` queues the rows alone; `bash FILE` queues them and, behind them, the report.
    """
    results, profile = configs[0].results_root, configs[0].profile.name
    logs = [config.folder / "slurm.log" for config in configs]
    throttle = f"%{jobs}" if jobs else ""
    lines = ["--job-name=deeplab", f"--array=0-{len(configs) - 1}{throttle}",
             "--output=/dev/null",  # each task writes into the folder of its row, see below
             *request.directives, f"--signal=B:USR1@{SAVE_SECONDS}", "--requeue",
             "--open-mode=append", f"--comment={shlex.quote(comment(configs))}", *directives]
    report = shlex.join([str(_program()), "report", "--profile", profile, "--results",
                         str(results)])
    return "\n".join([
        "#!/bin/bash", f"# {request.reason}",
        "# add --mail-type=END,FAIL --mail-user=YOU to hear of it", *(f"#SBATCH {line}"
                                                                      for line in lines),
        *_array("rows", (shlex.join(row_command(config, again)) for config in configs)),
        *_array("logs", map(str, logs)),
        'if [ -z "$SLURM_JOB_ID" ]; then  # run by hand: queue the rows, then the report',
        '  job=$(sbatch --parsable "$0") || exit',
        f'  exec sbatch --dependency="afterany:$job" --job-name=report --time=01:00:00 '
        f'--output={shlex.quote(str(results / profile / "report.log"))} --wrap '
        f'{shlex.quote(report)}', "fi",
        'log=${logs[$SLURM_ARRAY_TASK_ID]}; mkdir -p "$(dirname "$log")" && exec >> "$log" 2>&1',
        *_checks(configs), *_body(configs, request.nodes)]) + "\n"


def _array(name: str, values: Sequence[str]) -> list[str]:
    return [f"{name}=(", *(f"  {shlex.quote(value)}" for value in values), ")"]


def _program() -> Path:
    """The command `deeplab` of this environment."""
    return Path(sys.executable).with_name("deeplab")


def _checks(configs: Sequence[RunConfig]) -> list[str]:
    """What a task looks for before anything else, with a sentence where it is missing."""
    wanted = [(str(_program()), "-x", "the environment of the project", 2)]
    if configs[0].data_root:
        wanted.append((str(configs[0].data_root), "-d", "the folder of --data-root", 3))
    return [f"[ {test} {shlex.quote(path)} ] || {{ echo \"E-JOB $(hostname) does not see {what}: "
            f"\"{shlex.quote(path)}; exit {code}; }}" for path, test, what, code in wanted]


def _body(configs: Sequence[RunConfig], nodes: int) -> list[str]:
    """Run the row in steps; pass signals of the batch shell on to them; queue again after 75."""
    program = shlex.quote(str(_program()))
    return [
        "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK",
        "# a signal that comes before the program can hear it must not end it; torchrun reads PET_",
        """hear=(bash -c 'trap "" USR1; export PET_NODE_RANK=$SLURM_NODEID; exec "$@"' task)""",
        "step= cancelled=", "trap 'kill -USR1 $step' USR1",
        "trap 'cancelled=yes; kill -USR1 $step' TERM  # SLURM itself queues a preempted task again",
        "step() {", '  srun "$@" &', "  step=$!", "  wait $step", "  code=$?",
        "  while kill -0 $step 2> /dev/null; do wait $step; code=$?; done  # after a signal", "}",
        'eval "row=(${rows[$SLURM_ARRAY_TASK_ID]})"',
        *(_ranks(configs, nodes) if nodes > 1 else []),
        ("[ $code = 0 ] && " if nodes > 1 else "") +
        f'step --nodes=1 --ntasks=1 "${{hear[@]}}" {program} "${{row[@]}}"',
        f"# {Stopped.exit_code}: out of time, state saved; go on later",
        f'[ $code = {Stopped.exit_code} ] && [ -z "$cancelled" ] && '
        'scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"',
        "exit $code"]


def _ranks(configs: Sequence[RunConfig], nodes: int) -> list[str]:
    """Train with torchrun on all nodes; what follows on one of them evaluates."""
    ranks = max(1, configs[0].world // nodes)
    return [
        *_array("runs", (json.dumps(config.parameters) for config in configs)),
        # fixed numbers, so that no agent asks for newcomers: one that has lost the first agent,
        # whose ranks were quicker to save, still ends as its own ranks do
        f"OMP_NUM_THREADS=$(((SLURM_CPUS_PER_TASK + {ranks - 1}) / {ranks})) "
        f'step "${{hear[@]}}" {shlex.quote(sys.executable)} -m deeplab.runs.launch '
        f"--nnodes {nodes} --nproc-per-node {ranks} --max-restarts 0 "
        '--master-addr "$(hostname)" --master-port $((20000 + SLURM_JOB_ID % 10000)) '
        '-m deeplab.runs.rank "${runs[$SLURM_ARRAY_TASK_ID]}"']
