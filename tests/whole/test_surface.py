"""The house was rebuilt and its face is the same: names, commands, and keys of printed JSON.

`python -m benchmarks.shared.surface` wrote down what there was.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.shared.surface import (
    QUICK,
    SLOW,
    commands,
    differences,
    json_keys,
    public_names,
    stored,
)

# Differences that are meant: a place, as a failure tells it, to the reason. Everything below the
# place is allowed too.
RECORD = "a model is a record: `lay_out` and `on_table` of bayescale.models.lay_out do this"
SORTS = "laws, links and noises are records of their own, `Law`, `Link` and `Noise`, over `Part`"
DRIFT = "a law may drift, where that is asked for"
TUNED = "skills know which models are tuned"
AUDITED = "the largest score of a benchmark is told by audits"
JUDGED = "a file keeps what was judged of the draws"
NAMED = "loading runs no file: a law of one's own is named again"
LOADERS = ("load_fit", "load_model", "load_stack")
ASKED = (
    *("allocate", "checklist", "contributions", "crossing", "elasticity", "exceed", "gain"),
    *("next-run", "place", "required", "update"),
)
DRAWN = (
    *("comparison", "contours", "curve", "fans", "forest", "isoflops", "loadings", "prior"),
    *("rank", "residuals", "trace"),
)
WITH_LAW = (
    *("backtest", "coefficients", "compare", "predict", "priors", "stack", "summary"),
    *(f"ask {name}" for name in ASKED),
    *(f"plot {name}" for name in DRAWN),
)
ALLOWED: dict[str, str] = {
    "commands > bayescale fit > parameters > --drift": DRIFT,
    "commands > bayescale backtest > parameters > --drift": DRIFT,
    "commands > bayescale plot drift": DRIFT,
    "names > bayescale.plot_drift": DRIFT,
    "names > bayescale.plots.plot_drift": DRIFT,
    "names > bayescale.plots.plot_drift_frame": DRIFT,
    "names > bayescale.Fit > fields > stored_judged": JUDGED,
    "names > bayescale.Fit > members > judged": JUDGED,
    "names > bayescale.Fit > fields > sealed": "whether its file would show a change",
    "names > bayescale.Fit > signature": JUDGED,
    "names > bayescale.Model > fields > drift": DRIFT,
    "names > bayescale.Model > signature": DRIFT,
    "names > bayescale.Model > members > learns_drift": DRIFT,
    "names > bayescale.own.Instruct": TUNED,
    **{
        f"json > data card open-llm-leaderboard --json > ceiling[]{key}": AUDITED
        for key in ("", ".benchmark", ".quote", ".share", ".source")
    },
    "names > bayescale.fit > signature": DRIFT,
    **{f"names > bayescale.{name} > signature": NAMED for name in LOADERS},
    **{f"commands > bayescale {name} > parameters > --law": NAMED for name in WITH_LAW},
    "names > bayescale.Fit > members > diagnosis": "the verdict of the draws alone is of Posterior",
    "names > bayescale.Model > members > design": RECORD,
    "names > bayescale.Model > members > on": RECORD,
    "names > bayescale.Part": SORTS,
}


def is_allowed(place: str) -> bool:
    return any(place == known or place.startswith(f"{known} > ") for known in ALLOWED)


def check_same(before: Any, now: Any, where: str) -> None:
    found = differences(before, now, where)
    told = [f"{place}: {what}" for place, what in found.items() if not is_allowed(place)]
    assert not told, "a user would see a difference:\n" + "\n".join(told)


def test_public_names() -> None:
    check_same(stored()["names"], public_names(), "names")


def test_commands() -> None:
    check_same(stored()["commands"], commands(), "commands")


def test_every_stored_command_is_run() -> None:
    assert sorted(stored()["json"]) == sorted([*QUICK, *SLOW])


@pytest.mark.parametrize(
    "command", [*QUICK, *(pytest.param(command, marks=pytest.mark.slow) for command in SLOW)]
)
def test_json_keys(command: str) -> None:
    before, now = stored()["json"][command], json_keys(command)
    # As mappings, so that a difference is told key by key.
    check_same(dict.fromkeys(before), dict.fromkeys(now), f"json > {command}")


def test_a_difference_is_told_where_it_is() -> None:
    before = {"fit": {"signature": "(a)"}, "waic": {}}
    assert differences(before, {"fit": {"signature": "(b)"}, "loo": {}}, "names") == {
        "names > fit > signature": "was '(a)', is '(b)'",
        "names > loo": "is new",
        "names > waic": "is gone",
    }
