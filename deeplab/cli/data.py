"""`deeplab data`: draw, prepare, add, convert, check and pack datasets."""

from pathlib import Path

import click

from deeplab.cli.options import DATA_FOLDER, DATA_ROOT, say


@click.group()
def data() -> None:
    """Datasets: draw the miniature twins; prepare, add, check and pack the real ones."""


@data.command()
@click.argument("dataset")
@DATA_ROOT
def miniature(dataset: str, data_root: Path | None) -> None:
    """Draw the miniature twin of DATASET ("all" for every one)."""
    from deeplab.data.catalog import get_dataset
    from deeplab.miniature.drawing import vocabulary
    from deeplab.miniature.twins import miniature as draw
    for name in vocabulary()["sets"] if dataset == "all" else [get_dataset(dataset).name]:
        say(draw(name, data_root))


@data.command()
@click.argument("dataset")
@DATA_FOLDER
@click.option("--from", "archives", type=click.Path(path_type=Path, exists=True, file_okay=False),
              metavar="DIR", help="folder with archives that are already downloaded")
@click.option("--dry-run", is_flag=True, help="only say what would be fetched")
def prepare(dataset: str, data_root: Path, archives: Path | None, dry_run: bool) -> None:
    """Download and unpack DATASET: voc, ade20k, cityscapes, context or context59.

    Says first what comes from where, and its licence. Can be interrupted and repeated.
    """
    from deeplab.prepare.prepare import announce
    from deeplab.prepare.prepare import prepare as prepare_dataset
    say(announce(dataset, data_root, archives))
    if not dry_run:
        prepare_dataset(dataset, data_root, archives=archives, say=say)


@data.command()
@click.argument("dataset")
@DATA_FOLDER
@click.option("--part", is_flag=True, help="it is a part of the dataset: do not compare counts")
@click.option("--manifest", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="keep sizes and checksums here  [default: in the data root]")
def verify(dataset: str, data_root: Path, part: bool, manifest: Path | None) -> None:
    """Decode every file of DATASET and compare it with the manifest of the first time."""
    from deeplab.prepare.verify import verify as verify_dataset
    from deeplab.support.errors import DataError
    report = verify_dataset(dataset, data_root, part=part, manifest=manifest)
    if report.problems:
        raise DataError(f"E-VERIFY {report}")
    say(report)
    if report.unwritten:
        say(f"{report.unwritten}\n  or: keep the manifest elsewhere with --manifest FILE",
            err=True)
    else:
        say(f"manifest: {report.manifest}")


@data.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--classes", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              metavar="FILE", help="names, values and colours of the classes, in any usual form")
def add(name: str, folder: Path, classes: Path | None) -> None:
    """Make FOLDER, with photographs and label images, a dataset called NAME.

    Says what it understood and what it left out, and draws some labels over their images.
    """
    from deeplab.prepare.add import add_dataset
    from deeplab.support.folders import absolute, named_folder
    folder = absolute(folder)
    added = add_dataset(name, folder, named_folder("DEEPLAB_DATASETS"), classes=classes)
    say("\n".join([*added.lines, f"entry: {added.entry}", f"look at: {added.sheet}", "",
                   "next:", f"  deeplab data verify {name} --data-root {folder.parent}",
                   f"  deeplab run {name}_r50_d16 --profile small "
                   f"--data-root {folder.parent}"]))


@data.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@click.option("--colours", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              required=True, metavar="FILE", help="a class and its colour on each line: name,r,g,b")
def convert(source: Path, target: Path, colours: Path) -> None:
    """Turn the colour masks in SOURCE into index images in TARGET, a new folder."""
    from deeplab.prepare.colour_masks import convert_masks
    count, classes = convert_masks(source, target, colours)
    say(f"{count:,} masks written to {target}, with the values of classes.csv:")
    for line in classes:
        say(f"  {line.raw:>3}  {line.name}")


@data.command()
@click.argument("dataset")
@DATA_FOLDER
@click.option("--split", "splits", multiple=True, metavar="SPLIT",
              help="only this split, for example train; may be given more than once")
def pack(dataset: str, data_root: Path, splits: tuple[str, ...]) -> None:
    """Decode DATASET once into a file per split, from which training then reads.

    Takes 4 bytes of disk per pixel. Worth it for Cityscapes, whose PNG files take longer to
    decode than a sample takes otherwise; samples stay the same to the byte. Where the data cannot
    be written to, $DEEPLAB_PACKS names the folder of packs, for this command and for those that
    read them.
    """
    from tqdm import tqdm

    from deeplab.data.catalog import SegmentationDataset, find_root, get_dataset
    from deeplab.prepare.suspect import labelled_splits
    from deeplab.support.plain import printable
    label_set = get_dataset(dataset)
    root = find_root(label_set, data_root)
    there, _ = labelled_splits(label_set.layout, root, label_set.split_sizes)
    for split in splits or there:
        samples = SegmentationDataset(label_set, root, split, use_pack=False)
        path = samples.pack(lambda numbers: tqdm(numbers, printable(split), disable=None))
        say(f"{path}  {len(samples):,} samples, {path.stat().st_size / 1e9:.1f} GB")
