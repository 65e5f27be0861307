"""`bayescale plot`: pictures of how far to trust forecasts, of a backtest and a comparison."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescale.base.errors import CompareError
from bayescale.cli.cards import read_backtest
from bayescale.cli.group import examples
from bayescale.cli.own_law import with_law
from bayescale.cli.plot import Out, check_out, prepare, save

COVERAGE_EXAMPLES = examples(
    "bayescale plot coverage card.json --out coverage.png",
    "bayescale plot coverage skills.nc --out coverage.png",
)
PIT_EXAMPLES = examples("bayescale plot pit card.json --model skills --out pit.png")
PREDICTED_EXAMPLES = examples(
    "bayescale plot predicted card.json --model skills --out predicted.png"
)
SKILL_EXAMPLES = examples("bayescale plot skill card.json --score mae --out skill.png")
COMPARISON_EXAMPLES = examples(
    "bayescale plot comparison skills.nc compute.nc --out comparison.png"
)

CardFile = Annotated[
    Path,
    typer.Argument(metavar="CARD", help="What `bayescale backtest --json` wrote, a .json file."),
]
OfModel = Annotated[
    str | None, typer.Option("--model", help="A model or a baseline; the only model if left out.")
]


class Score(StrEnum):
    """Scores that skill is drawn of."""

    crps = "crps"
    mae = "mae"
    interval_score = "interval_score"
    log_score = "log_score"


def coverage(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FIT_OR_CARD",
            help="A fit file, or what `bayescale backtest --json` wrote, a .json file.",
        ),
    ],
    out: Out,
) -> None:
    """Draw how often intervals hold what was observed, against their nominal probability."""
    drawn: Any = _card(source, out) if source.suffix.lower() == ".json" else prepare(source, out)
    import bayescale as bs

    save(bs.plot_coverage(drawn), out)


def pit(card: CardFile, out: Out, model: OfModel = None) -> None:
    """Draw where held-out values fall in their predictive distributions: flat if calibrated."""
    found = _card(card, out)
    import bayescale as bs

    save(bs.plot_pit(found, model), out)


def predicted(card: CardFile, out: Out, model: OfModel = None) -> None:
    """Draw predictions of held-out values, with 90% intervals, against what was observed."""
    found = _card(card, out)
    import bayescale as bs

    save(bs.plot_predicted(found, model), out)


def skill(
    card: CardFile,
    out: Out,
    score: Annotated[Score, typer.Option(help="The score of each held-out value.")] = Score.crps,
) -> None:
    """Draw how predictions get worse with the distance of extrapolation, beside baselines."""
    found = _card(card, out)
    import bayescale as bs

    save(bs.plot_skill(found, score=score.value), out)


@with_law
def comparison(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT...", help="Two or more fit files.")],
    out: Out,
) -> None:
    """Draw how far fits of the same table are behind the best, and stacking weights."""
    names = [path.stem for path in fits]
    if len(set(names)) < len(names):
        raise CompareError(
            "two fits have one file name: rename one, so that they can be told apart"
        )
    if len(fits) < 2:
        raise CompareError("name two or more fits to compare")
    loaded = {name: prepare(path, out) for name, path in zip(names, fits, strict=True)}
    import bayescale as bs

    save(bs.plot_comparison(bs.compare(loaded)), out)


def _card(path: Path, out: Path) -> Any:
    """Read what a backtest wrote, once it is sure that a picture can be."""
    check_out(out)
    return read_backtest(path)
