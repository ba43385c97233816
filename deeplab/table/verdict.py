"""What a finished run says about the published row, in one sentence."""

from collections.abc import Mapping
from typing import Any

from deeplab.data.catalog import get_dataset, published_sizes

# mIoU points; upstream replaced two ADE20K rows by re-runs 0.5 and 0.8 higher with no change
# of recipe, so noise is at least that
TOLERANCE = {"ade20k": 0.8}
TOLERANCE_ELSEWHERE = 0.5


def tolerance(dataset: str) -> float:
    """How far, in mIoU points, a reproduction may be from the published value."""
    return TOLERANCE.get(dataset, TOLERANCE_ELSEWHERE)


def is_comparable(profile: str) -> bool:
    """Whether scores of a profile may stand beside published ones: only the full recipe's."""
    return profile == "full"


def verdict(facts: Mapping[str, Any]) -> str:
    """The verdict on a result (`outcome_facts`), as Markdown."""
    if facts["miou"] is None:
        return (f"**{facts['row_id']}, profile {facts['profile']}: no score.** No pixel of the "
                f"{facts['num_images']} evaluation images is labelled with a class.")
    done = sum(value is not None for value in facts["class_iou"].values())
    score = (f"**{facts['row_id']}, profile {facts['profile']}: {facts['miou']:.2f} % mIoU** on "
             f"{facts['num_images']} images, over {done} of {len(facts['class_iou'])} classes, "
             f"seed {facts['seed']}")
    if not facts["complete"]:
        return (f"{score}, after {facts['steps']} of {facts['total_steps']} steps. "
                "**Incomplete**: the table leaves it out.")
    published = facts["published_miou"]
    if "table" in facts:
        return f"{score}. {paper_words(facts)}"
    if published is None:
        return f"{score}. Nothing is published of a dataset of one's own."
    if not is_comparable(facts["profile"]):
        return (f"{score}. The published {published:.2f} % was reached on the real dataset at full "
                "size; this run says nothing about it.")
    images = facts["num_images"]
    if images not in published_sizes(
            get_dataset(facts["dataset"]), facts["eval_split"]):
        return (f"{score}. The published {published:.2f} % was reached on other images: these "
                f"{images:,} are not the whole split {facts['eval_split']}; **no verdict**.")
    difference, allowed = facts["miou"] - published, tolerance(facts["dataset"])
    word = "**reproduced**" if abs(difference) <= allowed else "**not reproduced**"
    return (f"{score}. Published: {published:.2f} %; difference {difference:+.2f}, "
            f"tolerance ±{allowed}: {word}.")


def paper_words(facts: Mapping[str, Any]) -> str:
    """What the paper reports in the cell that a result stands for; no verdict on it."""
    if facts["published_miou"] is None:
        return f"{facts['what']}: the paper has no such cell; compare with the others of its kind."
    checked = "" if facts["checked"] else " (a value not checked against the paper itself)"
    words = (f"Table {facts['table']} of the paper reports {facts['published_miou']:.2f} % for "
             f"{facts['what']}{checked}")
    if not is_comparable(facts["profile"]):
        return f"{words}; compare differences within that table, not this level."
    difference = facts["miou"] - facts["published_miou"]
    return f"{words}; difference {difference:+.2f}, with the departures listed below."
