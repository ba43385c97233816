"""The `deeplab` command: parse, call one function, print.

Heavy modules are imported inside the commands, so that `--help` answers at once.
"""

import errno
import sys
from pathlib import Path
from typing import Any

import click

from deeplab import __version__
from deeplab.cli.data import data
from deeplab.cli.options import (AGAIN, DATA_FOLDER, RESULTS_FOLDER, option, run_options, say)
from deeplab.cli.results import compare, report, status
from deeplab.cli.rows import rows
from deeplab.cli.weights import evaluate, predict, weights
from deeplab.support.errors import DeeplabError, ResourceError, Stopped


class ErrorsAsText(click.Group):
    """A command group whose errors are one text and one exit code, never a traceback."""

    def invoke(self, context: click.Context) -> object:
        """Call the command; its errors are printed, and the exit code is theirs."""
        try:
            return super().invoke(context)
        except (DeeplabError, OSError) as raised:
            error = raised
            if context.params.get("debug") or getattr(raised, "errno", None) == errno.EPIPE:
                raise
            if isinstance(raised, OSError):
                error = ResourceError.of(
                    "E-SYSTEM", "the system refuses", file=raised.filename, found=raised.strerror,
                    do="correct it and run the same command again; --debug shows where it happened")
        except KeyboardInterrupt:
            error = Stopped.of("E-STOPPED", "stopped as asked",
                               do="run the same command again: it goes on from what is there")
        say(str(error), err=True)
        sys.exit(error.exit_code)


@click.group(cls=ErrorsAsText, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="show the traceback of an error")
@click.version_option(__version__)
def main(debug: bool) -> None:
    """DeepLabV3, taught and reproduced: 16 rows of a published table."""


@main.command()
@click.argument("row")
@run_options()
@AGAIN
def run(row: str, again: bool, **given: Any) -> None:
    """Run one ROW; a run that was stopped goes on, one that is done is left alone."""
    from deeplab.planning.loaders import starving
    from deeplab.runs.config import RunConfig
    from deeplab.runs.run_row import run_row
    from deeplab.support.scores import score_words
    config = RunConfig.of(row_id=row, **given)
    warning = starving(config)
    if warning:
        say(warning, err=True)
    try:
        result = run_row(config, again=again)
    except ResourceError as error:
        from deeplab.planning.fitting import with_options
        raise with_options(error, config) from None
    say(f"{row} ({config.profile.name}, seed {config.seed}): "
        f"mIoU {score_words(result['miou'])} on "
        f"{result['num_images']} images after {result['steps']} of "
        f"{result['total_steps']} steps" + ("" if result["complete"] else " (incomplete)"))
    say(f"notebook: {config.folder / 'notebook.ipynb'}")


@main.command()
@click.option("--rows", "patterns", multiple=True, metavar="GLOB",
              help="only these rows, e.g. 'voc_*'; may be repeated")
@click.option("--seeds", multiple=True, type=int, default=(0,), metavar="N",
              help="may be repeated  [default: 0]")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="rows at a time; cores are divided among them  [default: one per GPU, or core]")
@run_options("seed")
@AGAIN
@click.option("--cluster", metavar="WHERE",
              help="tls:// or tcp://HOST:PORT of a Dask scheduler, or slurm: a GPU token for each "
              "GPU. Whoever reaches a scheduler by tcp can run code on all its machines")
@click.option("--directive", "directives", multiple=True, metavar="TEXT",
              help="a line for SLURM, e.g. '--partition=gpu'; may be repeated")
@click.option("--gpu", metavar="NAME", help="for SLURM: the GPU that hours are planned for, as "
              "`deeplab plan` names it  [default: A100-40]")
@click.option("--gpu-type", metavar="NAME", help="for SLURM: what the site calls that GPU")
@click.option("--nodes", type=click.IntRange(1), default=1, metavar="N",
              help="for --print-sbatch: machines that share each row, and its --gpus")
@click.option("--print-sbatch", is_flag=True, help="print a SLURM array that does this, and end")
@click.option("--dry-run", is_flag=True, help="print what would be started, and end")
def table(patterns: tuple[str, ...], seeds: tuple[int, ...], jobs: int | None, again: bool,
          cluster: str | None, directives: tuple[str, ...], gpu: str | None,
          gpu_type: str | None, nodes: int, print_sbatch: bool, dry_run: bool,
          **given: Any) -> None:
    """Run many rows (all, if none are named), then write the report."""
    from deeplab.report.report import Report
    from deeplab.runs.batch import left_to_run, run_rows
    from deeplab.runs.chosen import chosen_runs
    from deeplab.runs.cluster import dry_run_text, run_on_cluster
    from deeplab.runs.sbatch import sbatch_script
    from deeplab.table.paper import load_paper_rows
    configs = chosen_runs(patterns, seeds, given, say=lambda text: say(text, err=True))
    request = None
    if print_sbatch or cluster:
        from deeplab.planning.request import job_request
        request = job_request(configs, gpu=gpu, gpu_type=gpu_type, nodes=nodes)
    if print_sbatch or dry_run:
        click.echo(sbatch_script(configs, request, jobs=jobs, directives=directives, again=again)
                   if print_sbatch else dry_run_text(configs, cluster, request, directives, again))
        return
    left, others = (configs, {}) if again else left_to_run(configs, say)
    ended = (run_on_cluster(left, cluster, request, jobs=jobs, directives=directives, again=again)
             if cluster else run_rows(left, jobs=jobs, again=again)) if left else {}
    codes = others | ended
    failed = {name: code for name, code in ended.items() if code != 0}
    done = {name.split()[0] for name, code in codes.items() if code == 0}
    if done - load_paper_rows().keys():
        say(f"report: {Report.make(configs[0].results_root, given['profile'])}")
    if done & load_paper_rows().keys():
        from deeplab.report.paper import PaperReport
        say(f"the paper's tables: {PaperReport.make(configs[0].results_root, given['profile'])}")
    for name, code in failed.items():
        say(f"{name} ended with exit code {code}; the same command goes on with it",
            err=True)
    sys.exit(next(filter(None, codes.values()), 0))


@main.command()
@DATA_FOLDER
@RESULTS_FOLDER
def doctor(data_root: Path, results_root: Path) -> None:
    """Whether this machine is ready: versions, devices, datasets, disk."""
    from deeplab.cli.doctor import examine
    for name, found, do in [*examine(data_root, results_root)]:
        remedy = f"\n{'':27}do: {do}" if do else ""
        say(f"{'!' if do else ' '} {name:<24} {found}{remedy}")


@main.command()
@click.argument("rows", nargs=-1, metavar="[ROW]...")
@click.option("--gpu", metavar="NAME", help="hours on this GPU  [default: on every one known]")
@option("gpus", default=1, show_default=True, help="GPUs that share the batch of a row")
@option("profile", default="full")
@option("precision")
@option("batch")
@option("checkpoint_activations")
def plan(rows: tuple[str, ...], gpu: str | None, **given: Any) -> None:
    """What ROWs (all, if none are named) cost: work, memory, steps, hours, disk."""
    from deeplab.planning.gpus import GPUS
    from deeplab.planning.plan import check_fits
    from deeplab.planning.plan import plan as plan_rows
    from deeplab.planning.plan_text import plan_text
    from deeplab.table.rows import match_rows
    plans = [plan_rows(match_rows(rows), gpu=name, **given)
             for name in ([gpu] if gpu else GPUS)]
    say(plan_text(plans))
    if gpu:
        check_fits(plans[0])


for command in (compare, data, evaluate, predict, report, rows, status, weights):
    main.add_command(command)

if __name__ == "__main__":
    main()
