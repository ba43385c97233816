"""Commands for weights that are already trained: evaluate, predict, convert, export."""

from pathlib import Path

import click

from deeplab.cli.options import DATA_ROOT, DEVICE, RESULTS, WEIGHTS_PROFILE, say

WEIGHTS = click.option("--weights", required=True, type=click.Path(path_type=Path), metavar="FILE",
                       help="SSSegmentation's, mmsegmentation's or ours")
PUBLISHED_TOO = click.option(
    "--weights", required=True, metavar="FILE|published",
    help='a weight file, or "published": the row\'s own, fetched once')
FILE = click.Path(path_type=Path)


@click.command()
@click.argument("row")
@PUBLISHED_TOO
@WEIGHTS_PROFILE
@DEVICE
@DATA_ROOT
@RESULTS
@click.option("--scales", default="1", show_default=True, metavar="LIST",
              help="average over these sizes, e.g. 0.5,0.75,1,1.25,1.5,1.75")
@click.option("--flip", is_flag=True, help="average over the mirrored image too")
def evaluate(row: str, weights: str, profile: str | None, device: str | None,
             data_root: Path | None, results_root: Path | None, scales: str, flip: bool) -> None:
    """Score weights on the evaluation split of ROW."""
    from tqdm import tqdm

    from deeplab.runs.evaluate import evaluate_weights
    from deeplab.support.errors import UsageError
    from deeplab.support.scores import score_words
    try:
        factors = tuple(float(scale) for scale in scales.split(","))
    except ValueError:
        raise UsageError.of("E-SCALES", "these are not scales", found=scales,
                            expected="numbers with commas between",
                            do="e.g. --scales 0.5,1,2") from None
    with tqdm(desc=row, unit=" images", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        facts = evaluate_weights(row, weights, profile=profile, device=device,
                                 data_root=data_root, results_root=results_root,
                                 scales=factors, flip=flip, progress=show)
    # a score of another size of network is not comparable with the published one
    published = facts["published_miou"] if facts["profile"] == "full" else None
    say(f"{row} ({facts['profile']}), {facts['weights']}: "
        f"mIoU {score_words(facts['miou'])} on {facts['num_images']} images" +
        (f"   (published: {published:.2f})" if published is not None else ""))


@click.command()
@click.argument("images", nargs=-1, required=True)
@PUBLISHED_TOO
@click.option("--row", metavar="ROW", help="whose weights they are  [default: what the file says]")
@WEIGHTS_PROFILE
@DEVICE
@click.option("--out", type=FILE, default="predictions", show_default=True, metavar="DIR",
              help="where label images and overlays are written")
@click.option("--raw", is_flag=True, help="write only NAME.png, grey, with the dataset's own label "
                                          "ids: what test servers take")
@click.option("--overwrite", is_flag=True, help="replace files that predict did not write")
def predict(images: tuple[str, ...], weights: str, row: str | None, profile: str | None,
            device: str | None, out: Path, raw: bool, overwrite: bool) -> None:
    """Label photographs: IMAGES are files, folders or patterns, of any size."""
    from deeplab.runs.photos import find_photos
    from deeplab.runs.predict import label_photos
    from deeplab.support.plain import printable
    photos, left_out = find_photos(images)
    if left_out:
        say(f"left out: {len(left_out)} labels and overlays that predict wrote", err=True)
    for found in label_photos(photos, weights, row_id=row, profile=profile, device=device,
                              out=out, raw=raw, overwrite=overwrite):
        say(printable(f"{found.photo} -> {found.label}" +
                      (f", {found.overlay.name}" if found.overlay else "")))
        for name, pixels, share in found.areas:
            say(f"  {name:<24} {pixels:>12,} px {share:6.2f} %")


@click.group()
def weights() -> None:
    """Weight files: convert them between naming schemes, export them for use elsewhere."""


@weights.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@click.option("--row", required=True, metavar="ROW", help="the row they were trained for")
@WEIGHTS_PROFILE
@click.option("--to", "scheme", default="ours", show_default=True, metavar="NAME",
              help="ours (safetensors), sssegmentation or mmsegmentation (torch files)")
def convert(source: Path, target: Path, row: str, profile: str | None, scheme: str) -> None:
    """Convert SOURCE, of any scheme, to TARGET."""
    from deeplab.table.rows import get_row
    from deeplab.weights.export import convert_file
    count = convert_file(source, target, get_row(row), profile=profile, scheme=scheme)
    say(f"{count} tensors written to {target}")


@weights.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
def extract(source: Path, target: Path) -> None:
    """Take the tensors out of the training checkpoint SOURCE into the safetensors file TARGET.

    For files that other programs wrote with objects of theirs in them; none of these is made.
    """
    from deeplab.weights.extract import extract_tensors
    count, left = extract_tensors(source, target)
    say(f"{count} tensors written to {target}" +
        (f"; left behind: {', '.join(left)}" if left else ""))


@weights.command()
@click.argument("target", type=FILE)
@WEIGHTS
@click.option("--row", metavar="ROW", help="whose weights they are  [default: what the file says]")
@WEIGHTS_PROFILE
@click.option("--size", nargs=2, type=int, default=(512, 512), show_default=True,
              metavar="HEIGHT WIDTH", help="of the images that it will take, in pixels")
def export(target: Path, weights: Path, row: str | None, profile: str | None,
           size: tuple[int, int]) -> None:
    """Export a network with its weights to TARGET: .pt2 (torch.export) or .onnx."""
    from deeplab.runs.predict import weights_config
    from deeplab.weights.export import export_model
    from deeplab.weights.files import WeightFile
    file = WeightFile.read(weights)
    config = weights_config(file, row_id=row, profile=profile)
    model = file.model(config.row, config.profile.name)
    difference = export_model(model, target, height=size[0], width=size[1])
    say(f"{target}: logits differ from the network's by at most {difference:.1e}")
