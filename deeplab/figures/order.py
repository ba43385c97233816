"""How often rows are in the expected order: output stride 8 above 16, 101 layers above 50.

The order is what results of every profile can be compared in; levels are not.
"""

from collections.abc import Collection, Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import spearmanr

from deeplab.figures.plots import house_style, note, subplots
from deeplab.figures.table import DEPTH_LOOKS, Entries, row_means

STRIDES = ("d16", "d8")  # left to right
PAIRS = {"output stride": ("_d16", "_d8"), "depth": ("_r50_", "_r101_")}  # lower, higher


def pairs(row_ids: Collection[str], pair: str) -> list[tuple[str, str]]:
    """(row that should be worse, row that should be better) of which both are among `row_ids`.

    `pair` is "output stride" (D8 above D16) or "depth" (R101 above R50).
    """
    low, high = PAIRS[pair]
    return [(row_id, row_id.replace(low, high)) for row_id in row_ids
            if low in row_id and row_id.replace(low, high) in row_ids]


def order_counts(scores: Mapping[str, float], pair: str) -> tuple[int, int]:
    """In how many of how many `pairs` of rows the one that should be better is."""
    both = pairs(scores, pair)
    return sum(scores[better] > scores[worse] for worse, better in both), len(both)


def rank_correlations(entries: Entries) -> dict[str, tuple[float, int]]:
    """Spearman's rank correlation of ours and the published mIoU within each dataset.

    Returns it with the number of rows that it is of; a dataset of which one row is done has none,
    and of two it can be only 1 or -1.
    """
    ours, published = row_means(entries), row_means(entries, "published_miou")
    rows = {dataset: [row_id for row_id in ours if row_id.rpartition("_r")[0] == dataset]
            for dataset in dict.fromkeys(entry["dataset"] for entry in entries)}
    return {dataset: (float(spearmanr([ours[row_id] for row_id in ids],
                                      [published[row_id] for row_id in ids]).statistic), len(ids))
            for dataset, ids in rows.items() if len(ids) > 1}


def rank_words(entries: Entries) -> str:
    """The rank correlations as a sentence; no words where no dataset has two rows."""
    found = ", ".join(f"{dataset} {rank:+.1f} ({count} rows)"
                      for dataset, (rank, count) in rank_correlations(entries).items())
    return f"Spearman's rank correlation with the published order: {found}." if found else ""


def order_words(entries: Entries) -> str:
    """Sentences on how often the order is as it should be, ours and the published one's."""
    ours, published = row_means(entries), row_means(entries, "published_miou")
    counts = {better: [order_counts(scores, pair) for scores in (ours, published)]
              for better, pair in (("D8 above D16", "output stride"), ("R101 above R50", "depth"))}
    words = "; ".join(f"{better} in {mine[0]} of {mine[1]} pairs (published: {theirs[0]})"
                      for better, (mine, theirs) in counts.items())
    return f"{words}. {rank_words(entries)}".strip()


@house_style
def order_plot(entries: Entries, profile: str) -> Figure:
    """Slopes of mIoU from D16 to D8, a line each for R50 and R101; published above ours.

    Every panel has a scale of its own: levels of the two rows of panels are not comparable.
    """
    datasets = list(dict.fromkeys(entry["dataset"] for entry in entries))
    sources = {"published,\nreal data": row_means(entries, "published_miou"),
               f"ours,\nprofile {profile}": row_means(entries)}
    fig, grid = subplots(5.6, 2, len(datasets), squeeze=False)
    for line, (text, scores) in zip(grid, sources.items(), strict=True):
        for axes, dataset in zip(line, datasets, strict=True):
            _slopes(axes, scores, dataset)
        line[0].set_ylabel(f"mIoU (per cent)\n{text}")
    for axes, dataset in zip(grid[0], datasets, strict=True):
        axes.set_title(dataset, loc="center")
    handles = [Line2D([], [], marker=marker, color=colour, label=label)
               for marker, colour, label in DEPTH_LOOKS.values()]
    fig.legend(handles=handles, loc="outside lower center", ncols=2)
    return fig


def _slopes(axes, scores: Mapping[str, float], dataset: str) -> None:
    """One panel of the order plot: a line per depth from output stride 16 to 8."""
    shown: dict[int, list[float]] = {}
    for depth, (marker, colour, _) in DEPTH_LOOKS.items():
        stem = f"{dataset}_r{depth.removeprefix('resnet')}"
        points = {place: scores[f"{stem}_{stride}"] for place, stride in enumerate(STRIDES)
                  if f"{stem}_{stride}" in scores}
        axes.plot(points.keys(), points.values(), marker=marker, color=colour)
        for place, score in points.items():
            shown.setdefault(place, []).append(score)
    values = sum(shown.values(), [])
    margin = 0.15 * (max(values) - min(values)) or 1
    for place, column in shown.items():
        is_close = max(column) - min(column) < margin
        for score in column:
            align = "center" if not is_close else "bottom" if score == max(column) else "top"
            note(axes, f"{score:.1f}", (place, score), 8 if place else -8, 0, va=align,
                 ha="left" if place else "right")
    axes.set(xlim=(-0.9, 1.9), xticks=sorted(shown), yticks=(),
             xticklabels=[STRIDES[place].upper() for place in sorted(shown)],
             ylim=(min(values) - margin, max(values) + margin))
    axes.spines.left.set_visible(False)
