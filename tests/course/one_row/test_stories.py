"""The runs of lesson 11: going on changes no bit, a careless checkpoint does."""

from deeplab.course.one_row import figures
from deeplab.course.one_row.resume import STEPS, STOP, stories


def test_only_the_whole_checkpoint_gives_the_run_that_never_stopped():
    runs = dict(stories())
    never = runs.pop("never stopped")
    assert list(never) == list(range(1, STEPS + 1))
    assert runs.pop("stopped, went on") == never
    for name, losses in runs.items():
        before = [losses[step] == never[step] for step in range(1, STOP + 1)]
        after = [losses[step] != never[step] for step in range(STOP + 1, STEPS + 1)]
        assert all(before) and any(after), name


def test_every_run_has_a_line_and_a_name():
    fig = figures.losses(stories())
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == list(figures.LOOKS)
    assert [len(ax.lines) for ax in fig.axes] == [5, 5]  # the runs, and where they stop
