"""Options and arguments that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescale.base.between import parse_amount, parse_grid
from bayescale.base.counts import parse_count
from bayescale.base.errors import BayescaleError

if TYPE_CHECKING:
    from bayescale.inference.posterior import Posterior
    from bayescale.models.model import Model

LEADERBOARD = "open-llm-leaderboard"
FLAGS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
POOLING = ("partial", "correlated", "separate")


def count(text: str | float) -> float:
    """Read 7B or 1.5e9 for an option; bad text is an error of usage."""
    try:
        return parse_count(str(text))
    except BayescaleError as error:
        raise typer.BadParameter(str(error)) from None


def amount(text: str | float) -> Any:
    """Read 7B, or 1T~15T for a number that is not known."""
    try:
        return parse_amount(str(text))
    except BayescaleError as error:
        raise typer.BadParameter(str(error)) from None


def amounts(text: str | float) -> Any:
    """Read what `amount` does, or a range of queries: 1B..1T, 1B..1T:20."""
    if ".." not in str(text):
        return amount(text)
    try:
        return parse_grid(str(text))
    except BayescaleError as error:
        raise typer.BadParameter(str(error)) from None


def leaderboard_of(model: Model) -> str | None:
    """Name the table of a leaderboard's model: the bundled one, where its card names none."""
    return (model.table or LEADERBOARD) if model.of_leaderboard else None


def values(texts: Mapping[str, str], fit: Posterior) -> dict[str, Any]:
    """Read what --at gives: members of groups are text, inputs are numbers."""
    from bayescale.base.words import quoted, suggest
    from bayescale.parts.drift import RELEASED
    from bayescale.tables.table import group_columns

    groups = group_columns(fit.table)
    flags = {c.name for c in fit.model.law.columns if c.kind == "flag"}
    found: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            if name in flags and text.lower() in FLAGS:
                found[name] = FLAGS[text.lower()]
            else:
                found[name] = text if name in (*groups, RELEASED) else number(text)
        except BayescaleError:
            raise typer.BadParameter(
                f"{name}={text}: {text!r} is no number, and the fit has no group {name!r}"
                f"{suggest(name, groups)}; its groups are {quoted(groups)}",
                param_hint="--at",
            ) from None
    return found


def number(text: str) -> Any:
    """Read any plain number, a count, or a range of one that is not known."""
    try:
        return float(text)
    except ValueError:
        return parse_amount(text)


def pairs(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """Read NAME=VALUE of an option that may be repeated; a name may be given once."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, _, value = (part.strip() for part in text.partition("="))
        if not (name and value):
            raise _malformed(text, option, example)
        if name in found:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
        found[name] = value
    return found


def drifts(given: list[str] | None) -> str | list[str] | None:
    """Read what --drift says: one word for all inputs, or names of inputs."""
    words = {"none", "usual"} & {*(given or ())}
    if words and len(given or ()) > 1:
        raise typer.BadParameter(
            f"{words.pop()!r} stands alone, or name the inputs", param_hint="--drift"
        )
    return given[0] if given and words else given or None


def columns(texts: Sequence[str] | None) -> dict[str, str]:
    """Read --input: the column of each input."""
    return pairs(texts, "--input", "x=flops")


def counts(texts: Sequence[str] | None) -> dict[str, float]:
    """Read --reference: the count of each input."""
    option, example = "--reference", "params=1B"
    found = {}
    for name, text in pairs(texts, option, example).items():
        try:
            found[name] = parse_count(text)
        except BayescaleError:
            raise _malformed(f"{name}={text}", option, example) from None
    return found


def priors(texts: Sequence[str] | None) -> dict[str, tuple[float, float]]:
    """Read --prior: median and spread of each coefficient."""
    option, example = "--prior", "alpha=0.35,1.6"
    found = {}
    for name, text in pairs(texts, option, example).items():
        try:
            median, spread = (float(part) for part in text.split(","))
        except ValueError:
            raise _malformed(f"{name}={text}", option, example) from None
        found[name] = median, spread
    return found


def pool_rules(texts: Sequence[str] | None) -> list[tuple[str, str, str]]:
    """Read --pool: coefficient ("" for every one of the law), group, and how."""
    found = []
    for text in texts or ():
        before, equals, after = text.partition("=")
        coefficient, rule = (before.strip(), after) if equals else ("", text)
        group, colon, given = (part.strip() for part in rule.partition(":"))
        how = given if colon else POOLING[0]
        if not group or (equals and not coefficient) or how not in POOLING:
            raise _malformed(
                text,
                "--pool",
                "corpus or alpha=corpus, and after a colon one of " + ", ".join(POOLING),
            )
        found.append((coefficient, group, how))
    return found


def pooling(model: Model, rules: Sequence[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """Give each coefficient its groups; a rule without a coefficient is for all of the law."""
    found: dict[str, dict[str, str]] = {}
    for coefficient, group, how in rules:
        for name in [coefficient] if coefficient else [c.name for c in model.law.coefficients]:
            found.setdefault(name, {})[group] = how
    return found


def _malformed(text: str, option: str, example: str) -> typer.BadParameter:
    return typer.BadParameter(f"{text!r}: write it as in {example}", param_hint=option)


FitFile = Annotated[Path, typer.Argument(metavar="FIT", help="A fit file, such as skills.nc.")]
MODEL = "A model (see `bayescale models`), a law (see `bayescale laws`), a card, or FILE.py:LAW."
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL)]
TableName = Annotated[
    str, typer.Option("--table", help="A bundled table (see `bayescale data list`) or a file.")
]
OwnTable = Annotated[
    str | None,
    typer.Option(
        "--table",
        help="A table (see `bayescale data list`) or a file; if left out, the one that the model "
        "was written for.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="INPUT=COLUMN", help="The column of a law's input; may be repeated."
    ),
]
Pooled = Annotated[
    list[str] | None,
    typer.Option(
        "--pool",
        metavar="[COEF=]GROUP[:HOW]",
        help="Let a coefficient, or all of the law, differ by group: partial (shared strength, "
        "if HOW is left out), correlated or separate; may be repeated.",
    ),
]
Effects = Annotated[
    list[str] | None,
    typer.Option(
        "--effect",
        metavar="GROUP",
        help="A group whose members shift the response, such as the curves that checkpoints "
        "are of; may be repeated.",
    ),
]
OtherNoise = Annotated[
    str | None,
    typer.Option("--noise", help="Another noise than the model's, such as normal-log."),
]
Drifts = Annotated[
    list[str] | None,
    typer.Option(
        "--drift",
        metavar="INPUT",
        help="Let the law's shape drift along an input beyond the data; may be repeated. usual: "
        "along each and compute; none: along none. By default as the card says.",
    ),
]
Priors = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        metavar="COEF=MEDIAN,SPREAD",
        help="Another prior; the spread of a positive coefficient is a factor; may be repeated.",
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="INPUT=COUNT",
        help="An input at the reference run, params=1B; the geometric mean of the table's if "
        "left out; may be repeated.",
    ),
]
Added = Annotated[
    list[Path] | None,
    typer.Option("--add", help="A file of your own runs, joined to the table; may be repeated."),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="NAME=VALUE",
        help="Another input of a law, unique_tokens=4B, or a member of a group, corpus=c4; may "
        "be repeated.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same numbers.")]
Chains = Annotated[int, typer.Option(min=1, help="Number of chains.")]
Warmup = Annotated[int | None, typer.Option(min=1, help="Warm-up steps a chain; 500 if left out.")]
Draws = Annotated[
    int | None,
    typer.Option(
        min=1, help="Draws kept a chain; 800 if left out, 1600 in the demo, 300 in a backtest."
    ),
]
Interval = Annotated[
    float, typer.Option(min=0.01, max=0.999, help="Probability of the central interval.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
CsvOut = Annotated[Path | None, typer.Option("--csv", help="Write the frame to this CSV file.")]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option("--benchmark", help="A benchmark; may be repeated. All of them if left out."),
]
Measured = Annotated[
    list[str] | None,
    typer.Option(
        "--benchmark",
        help="What to take of all that a table measures, such as loss; may be repeated.",
    ),
]
Response = Annotated[
    list[str] | None,
    typer.Option(
        "--response",
        help="A column that was measured, such as loss, in a file of runs; may be repeated.",
    ),
]
