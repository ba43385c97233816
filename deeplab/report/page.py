"""What the two pages over the runs of a profile share: the runs that count, and their writing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from deeplab.profiles import get_profile
from deeplab.report.html import html_page
from deeplab.report.results import collect
from deeplab.runs.notebook import execute, publish_notebook
from deeplab.support.errors import unknown
from deeplab.support.files import atomic_write
from deeplab.support.folders import PROJECT, absolute, check_clone, results_folder
from deeplab.support.own import refuse_linked, temporary_for

PARAMETERS = ("profile", "results_root")  # of a page's notebook


@dataclass(frozen=True)
class Page:
    """All runs of one profile that were started, as `collect` describes them."""

    results_root: Path
    profile: str
    entries: Sequence[Mapping[str, Any]]

    notebook: ClassVar[str]  # its name
    of_paper: ClassVar[bool] = False  # whether its rows are those of the paper's tables
    below: ClassVar[str] = ""  # the folder of the profile

    @classmethod
    def of(cls, **given: Any) -> Self:
        """The page for the parameters of its notebook.

        Raises `UsageError`: E-PARAMETER for a parameter that does not exist, E-PROFILE.
        """
        for name in given:
            if name not in PARAMETERS:
                raise unknown("E-PARAMETER", "parameter", name, PARAMETERS)
        profile = get_profile(given.get("profile", "demo")).name
        root = absolute(given.get("results_root") or results_folder())
        return cls(root, profile, collect(root, profile, of_paper=cls.of_paper))

    @property
    def folder(self) -> Path:
        """Where the page is written."""
        return self.results_root / self.profile / self.below

    @property
    def counted(self) -> list[Mapping[str, Any]]:
        """The results that count: complete, and of today's code, data and libraries."""
        return [entry for entry in self.entries if entry["state"] == "done"]

    @property
    def minutes(self) -> float:
        """Training and evaluation of all results that count, one after the other."""
        return sum(entry["minutes"] for entry in self.counted)

    @property
    def deviations(self) -> list[int]:
        """The numbers of the departures from the recipe that any result makes."""
        return sorted({number for entry in self.counted for number in entry["deviations"]})

    def write_tables(self) -> None:
        """Write what the page consists of beside its notebook and its figures."""
        raise NotImplementedError

    @classmethod
    def make(cls, results_root: Path | str, profile: str) -> Path:
        """Write everything that the page consists of; returns the path of its HTML.

        Raises what the cells of its notebook raise, `UsageError` for an unknown profile, and
        `ResourceError` (E-LINK) where a folder that is written to is a link.
        """
        check_clone()
        page = cls.of(profile=profile, results_root=str(results_root))
        for place in (page.results_root / profile, page.folder, page.folder / "figures"):
            refuse_linked(place)
        page.write_tables()
        parameters = {"profile": profile, "results_root": str(page.results_root)}
        target = page.folder / cls.notebook
        draft = temporary_for(target)
        execute(PROJECT / "notebooks" / cls.notebook, draft, parameters, folder=page.folder)
        publish_notebook(draft, target)
        return atomic_write(target.with_suffix(".html"), html_page(target))
