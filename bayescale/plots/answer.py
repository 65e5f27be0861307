"""`plot_answer`: the picture of what a question to a fit gave."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from matplotlib.axes import Axes

from bayescale.ask.answer import Answer
from bayescale.base.errors import AskError
from bayescale.plots import ask
from bayescale.plots.style import AxesGrid


def plot_answer(answer: Answer, ax: Any = None) -> Axes | AxesGrid:
    """Draw the answer to a question.

    Each question has a picture of its own: the probability that an amount is enough (`required`),
    the best split along budgets (`allocate`), the walk to a prediction (`contributions`), and so
    on. The data drawn are `answer.picture`; what is marked in it comes from `answer.frame`.

    Parameters
    ----------
    answer
        What a question gave, such as ``fit.required(...)``.
    ax
        Axes to draw into, or an array of them where the picture has several panels: `allocate` and
        `contributions` have two or more, `exceed`, `elasticity`, `update` and `place` one for each
        benchmark, rival or run. By default a new figure, with a legend below.

    Returns
    -------
    Axes or array of Axes
        One, where the picture has one panel. Its data: `answer.picture`, a frame.

    Raises
    ------
    AskError
        It is no answer, or an answer without a picture, such as that of `checklist`.
    ValueError
        `ax` holds more or fewer axes than there are panels.

    Notes
    -----
    Columns of `answer.picture`, beside `median`, `lower_0.9` and `upper_0.9` (of its interval):

    - required: the input that is wanted, and `probability`, that so much is enough
    - exceed, elasticity, contributions, place: those of `answer.frame`
    - allocate: `budget`, `quantity`
    - crossing, gain: `of`, and the input along which they are compared
    - update: `benchmark`, `when` (before or after), `run`
    - next_run: `cost`, `reduction`, `chosen`; which run it is comes from `answer.frame`

    Examples
    --------
    >>> plot_answer(fit.required(2.0, "params", tokens=1e12))    # doctest: +SKIP
    """
    if not isinstance(answer, Answer):
        raise AskError(
            f"not an answer but {type(answer).__name__}: give what a question to a fit returns, "
            "such as fit.required(...)"
        )
    drawn = questions_drawn()
    if answer.question not in drawn:
        raise AskError(
            f"the answer of {answer.question} has no picture: print it, or read its frame; there "
            f"are pictures of {', '.join(drawn)}"
        )
    if answer.picture is None or answer.picture.empty:
        raise AskError(
            f"this answer of {answer.question} has no picture frame to draw: ask the fit again"
        )
    module = importlib.import_module(f"{ask.__name__}.{answer.question}")
    grid: AxesGrid = module.draw(answer, ax)
    return grid[0] if len(grid) == 1 else grid


def questions_drawn() -> list[str]:
    """Name the questions that have a picture: a file of `plots/ask/` each."""
    return sorted(module.name for module in pkgutil.iter_modules(ask.__path__))
