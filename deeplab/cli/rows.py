"""The command `deeplab rows`: the rows there are, in sections that never share a column."""

import click

from deeplab.cli.options import say


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def rows(as_json: bool) -> None:
    """The 16 rows with their published mIoU, those of your own datasets, and the paper's tables."""
    from deeplab.table.paper import load_paper_rows
    from deeplab.table.rows import known_rows
    if as_json:
        import json

        from deeplab.runs.config import row_facts
        say(json.dumps([row_facts(row) for row in known_rows().values()], indent=1))
        return
    say(f"{'row':<18} {'classes':>7} {'crop':>10} {'epochs':>6} {'published mIoU':>15}")
    paper = load_paper_rows()
    for row in known_rows().values():
        if row.row_id in paper:
            continue
        crop = f"{row.crop_height}x{row.crop_width}"
        say(f"{row.row_id:<18} {row.num_classes:>7} {crop:>10} {row.epochs:>6} "
            + (f"{row.published_miou:>14.2f}" if row.published_miou is not None
               else f"{'your own':>14}"))
    say("\nCells of the paper's own tables (values not checked against the paper itself):\n"
        f"{'row':<24} {'table':>5} {'reported mIoU':>14}  what")
    for row in paper.values():
        reported = "—" if row.published_miou is None else f"{row.published_miou:.2f}"
        say(f"{row.row_id:<24} {row.table:>5} {reported:>14}  {row.what}")
