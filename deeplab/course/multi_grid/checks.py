"""Checks of lesson 4: offsets reached, the unseen share, conv5's rates, wide rates, a search."""

import itertools
from collections.abc import Callable, Iterator

from deeplab.course.exercise import exercise, judged
from deeplab.model.atrous import footprint
from deeplab.model.backbone import block_rates

Factors = tuple[int, int, int]


@exercise("4.1", "You know which cells a chain of kernels looks at.")
def check_offsets(attempt: Callable[[tuple[int, ...]], set[int]]) -> str | None:
    """Compare `attempt(rates)` with the columns of the footprint that are not zero."""
    for rates in ((1,), (2,), (2, 2, 2), (1, 2, 4), (3, 5)):
        got, reach = attempt(rates), sum(rates)
        if got is None or isinstance(got, int):
            return f"Expected a set of offsets; got {got!r}."
        got = set(got)
        wanted = {int(column) - reach for column in footprint(rates)[reach].nonzero()}
        surplus, missing = sorted(got - wanted), sorted(wanted - got)
        if surplus:
            return (f"Rates {rates}: offset {surplus[0]} cannot be reached. Each layer adds "
                    "-rate, 0 or +rate, and nothing between.")
        if missing:
            return (f"Rates {rates}: offset {missing[0]} is missing. Every offset reached so far "
                    "is kept and is moved left and right by the next rate.")
    return None


@exercise("4.2", "Holes along one axis are stripes on the map.")
def check_unseen_share(attempt: Callable[[tuple[int, ...]], float]) -> Iterator[str | None]:
    """Compare `attempt(rates)` with the share of zeros in the footprint."""
    for rates in ((1, 1, 1), (2, 2, 2), (1, 2, 4), (4, 4, 4), (1, 5)):
        got, paths = attempt(rates), footprint(rates)
        wanted = float((paths == 0).double().mean())
        along_one_axis = float((paths[sum(rates)] == 0).double().mean())
        if not isinstance(got, (int, float)):
            yield f"Expected one number; got {got!r}."
        yield judged(got, wanted, (
            (along_one_axis, "that is the share along one axis; the footprint is a square."),
            (1 - wanted, "that is the share of cells that are seen."),
            (100 * wanted, "a share, not per cent: between 0 and 1."),
            (along_one_axis ** 2, "a cell is unseen when its row or its column is never reached, "
                                  "not only when both are.")),
            f"got {got:.3f}, expected {wanted:.3f}.", case=f"Rates {rates}: ")


@exercise("4.3", "Factors times the unit rate that the output stride asks for.")
def check_conv5_rates(attempt: Callable[[int, tuple[int, ...]], list[int]]
                      ) -> Iterator[str | None]:
    """Compare `attempt(output_stride, multi_grid)` with `block_rates`."""
    cases = ((32, (1, 2, 4)), (16, (1, 2, 4)), (8, (1, 2, 4)), (16, (1, 2, 1)))
    for output_stride, factors in cases:
        got = attempt(output_stride, factors)
        wanted = block_rates(depth=50, output_stride=output_stride, multi_grid=factors)[-1]
        if got is None or len(got) != len(factors):
            yield f"Expected one rate per block, {len(factors)} in all; got {got}."
        yield judged(got, wanted, (
            (factors, "These are the factors alone; conv5 has a unit rate of its own here."),
            ([got[0], *wanted[1:]],
             "With Multi-Grid the first block has no exception: factor times unit.")),
            "Which rate does `stage_plan` give conv5? Multiply each factor by it.", near=0,
            case=f"Output stride {output_stride}, factors {factors}: got {list(got)}. ")


@exercise("4.4", "27 cells, each reached in exactly one way; the rates may come in any order.")
def check_widest(attempt: tuple[int, int, int]) -> str | None:
    """Accept three rates whose footprint has no hole and is as wide as any such."""
    if not isinstance(attempt, (tuple, list)):
        return f"Expected three rates, such as (1, 2, 4); got {attempt!r}."
    if len(attempt) != 3 or not all(isinstance(rate, int) and rate > 0 for rate in attempt):
        return f"Expected three whole numbers of 1 or more; got {attempt}."
    paths = footprint(tuple(attempt))
    holes = int((paths[sum(attempt)] == 0).sum())
    if holes:
        return f"Rates {tuple(attempt)} leave {holes} of {len(paths)} columns unseen."
    # Three taps, three layers: 27 paths along an axis cannot reach more than 27 cells.
    if len(paths) < 27:
        return (f"Rates {tuple(attempt)} have no hole, and are {len(paths)} cells wide. Some cells "
                "are reached in several ways; a wider choice wastes no path.")
    return None


@exercise("4.5", "Many factors leave no hole; which of them a network needs, only training tells.")
def check_multi_grids(attempt: Callable[[tuple[int, ...], int, int], list[Factors]]
                      ) -> Iterator[str | None]:
    """Compare `attempt(before, unit, largest)` with a search over all factors a <= b <= c."""
    for before, unit, largest in (((), 1, 4), ((), 2, 4), ((1, 1), 2, 5), ((1,), 4, 4)):
        got = attempt(before, unit, largest)
        wanted = _without_holes(before, unit, largest)
        case = f"before={before}, unit={unit}, largest={largest}: "
        if not isinstance(got, list | tuple):
            yield f"Expected a list of triples such as (1, 2, 4); got {got!r}."
        found = [tuple(factors) for factors in got]
        yield _wrong_triples(found, wanted, before, unit, case)
        if found != wanted:
            place = next(index for index, pair in enumerate(zip(found, wanted, strict=True))
                         if len(set(pair)) == 2)
            one, other = found[place], wanted[place]
            if sum(one) == sum(other):
                yield case + (f"{other} stands before {one}: they are equally wide, and then the "
                              "order is that in which Python sorts tuples.")
            yield case + (f"widest first: {other} spans {_width(before, unit, other)} cells and "
                          f"{one} only {_width(before, unit, one)}.")


def _wrong_triples(found: list[Factors], wanted: list[Factors], before: tuple[int, ...], unit: int,
                   case: str) -> str | None:
    """What is wrong with the triples that were found, but for their order."""
    if any(list(factors) != sorted(factors) for factors in found):
        return case + "give each choice once, with its factors in rising order: a <= b <= c."
    surplus, missing = sorted(set(found) - set(wanted)), sorted(set(wanted) - set(found))
    if surplus:
        holes = _holes(before, unit, surplus[0])
        return case + (f"{surplus[0]} leaves {holes} columns unseen. Its rates are "
                       f"{(*before, *(unit * factor for factor in surplus[0]))}." if holes else
                       f"{surplus[0]} has a factor that is too large.")
    if missing:
        return case + (f"{missing[0]} is missing: rates "
                       f"{(*before, *(unit * factor for factor in missing[0]))} leave no hole.")
    if len(found) > len(wanted):
        return case + "a triple stands there twice."
    return None


def _without_holes(before: tuple[int, ...], unit: int, largest: int) -> list[Factors]:
    """All factors a <= b <= c without a hole, widest first, equally wide ones as tuples sort."""
    triples = itertools.combinations_with_replacement(range(1, largest + 1), 3)
    return sorted((factors for factors in triples if not _holes(before, unit, factors)),
                  key=lambda factors: (-sum(factors), factors))


def _width(before: tuple[int, ...], unit: int, factors: Factors) -> int:
    return 1 + 2 * (sum(before) + unit * sum(factors))


def _holes(before: tuple[int, ...], unit: int, factors: Factors) -> int:
    """Columns of the footprint that no path reaches."""
    offsets = {0}
    for rate in (*before, *(unit * factor for factor in factors)):
        offsets = {offset + step for offset in offsets for step in (-rate, 0, rate)}
    return _width(before, unit, factors) - len(offsets)
