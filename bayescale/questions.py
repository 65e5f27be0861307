"""`Questions`: what a person asks a fit before spending compute; the methods of `Fit` for it.

Longer than 400 lines for the docstrings of public methods; what they do is in `ask/`, a file each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

if TYPE_CHECKING:
    from bayescale.ask.answer import Answer
    from bayescale.fits import Fit
    from bayescale.predict.prediction import Prediction
    from bayescale.tables.table import Table


class Questions:
    """Questions to a fit, each mapped over its draws.

    Each gives an `Answer`: a frame, the draws behind it, a sentence, and doubts. Inputs that are
    not known may be given as `between(low, high)`.
    """

    def required(
        self,
        target: float,
        want: str = "flops",
        *,
        probability: float = 0.9,
        benchmark: str | None = None,
        rule: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **given: Any,
    ) -> Answer:
        r"""Find how many params, tokens or FLOPs it takes to reach a score or a loss.

        .. math:: \min \{x : P(f(x) \text{ reaches the target}) \ge p\}

        It is solved in each draw by itself, where it may be that no amount ever does.

        Parameters
        ----------
        target
            The score, in [0, 1], or the loss. It is the expected one that is to reach it.
        want
            "flops", "params", "tokens", or another input of a law.
        probability
            How sure to be.
        benchmark
            Of what; may be left out where the fit has one response.
        rule
            "optimal", with `want` "flops": along each draw's own best split of each budget.
        interval
            Probability of the central interval of the amount.
        seed
            Seed of what is drawn anew.
        given
            How size and data go together: tokens_per_param, or one of params, tokens, flops. Other
            inputs; a family, or members of groups.

        Returns
        -------
        Answer
            `.frame`: `enough`, the amount that suffices with the probability; median and interval
            of the amount that is needed; `never`, the probability that none suffices under this
            law. `.draws`, shape (draw, 1), infinite for never.

        Raises
        ------
        AskError
            The law has no such input, the target lies outside floor and ceiling, inputs are missing
            or contradict each other, a probability is none.

        Examples
        --------
        >>> fit.required(0.8, "params", benchmark="MMLU", family="qwen2", tokens=15e12)
        ... # doctest: +SKIP
        """
        from bayescale.ask.required import required

        return required(
            cast("Fit", self),
            target,
            want=want,
            probability=probability,
            benchmark=benchmark,
            rule=rule,
            interval=interval,
            seed=seed,
            given=given,
        )

    def exceed(
        self,
        *rivals: str | float | Mapping[str, Any],
        benchmark: str | Sequence[str] | None = None,
        kind: str = "score",
        interval: float = 0.9,
        seed: int = 0,
        **plan: Any,
    ) -> Answer:
        """Find how probable it is that a planned run beats a score, a given model, or all of a set.

        Parameters
        ----------
        rivals
            Each a score or loss to beat, the name of a run of the fit, or a query such as
            ``{"family": "qwen2", "params": 72e9}``.
        benchmark
            On what; all benchmarks of the fit by default.
        kind
            "score": a measured score of the plan, against a run's own measured score where it has
            one; "mean": expected scores on both sides.
        interval
            Probability of the interval of how far ahead the plan is.
        seed
            Seed.
        plan
            The planned run, as in `predict`.

        Returns
        -------
        Answer
            `.frame`: for each benchmark a row per rival, and with several of them one for all, with
            the expected rank; `probability`, and how far the plan is ahead (positive: better).
            `.draws`: how far, shape (draw, row).

        Raises
        ------
        AskError
            Nothing to beat, or an unknown run.

        Examples
        --------
        >>> fit.exceed(0.8, "gemma-2-9b", benchmark="MMLU", family="qwen2", params=32e9)
        ... # doctest: +SKIP
        """
        from bayescale.ask.exceed import exceed

        return exceed(
            cast("Fit", self),
            rivals,
            benchmark=benchmark,
            kind=kind,
            interval=interval,
            seed=seed,
            given=plan,
        )

    def allocate(
        self,
        budget: float,
        *,
        served: float | None = None,
        cost: Callable[[Mapping[str, Any]], Any] | None = None,
        free: Sequence[str] = (),
        rival: Mapping[str, float] | None = None,
        benchmark: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **given: Any,
    ) -> Answer:
        r"""Find the best params and tokens for a budget, in each draw.

        .. math:: \arg\min_{N, D} L(N, D) \quad\text{where}\quad C(N, D) = C,
                  \quad C = 6 N D \;(+\; 2 N D_{served})

        By Newton's method on the law itself, whatever its inputs are: width and depth, params of a
        vocabulary, learning rate and batch are chosen too where the law has them.

        Parameters
        ----------
        budget
            In FLOPs, or in the unit of `cost`.
        served
            Tokens that the model will serve; their FLOPs come out of the budget.
        cost
            A cost of your own: from a mapping of inputs to FLOPs, written in operations that work
            on JAX arrays.
        free
            Inputs to choose that are else kept at a usual value: experts, streams, ...
        rival
            Another choice to hold against the best: ``{"tokens_per_param": 20}``, or params, or
            params and tokens.
        benchmark
            The loss, where the fit has several.
        interval
            Probability of the central interval.
        seed
            Seed of new members of groups.
        given
            Inputs that are not chosen, such as unique_tokens; members of groups.

        Returns
        -------
        Answer
            `.frame`: a row for each chosen input, tokens a parameter, and the loss there; with a
            rival, its inputs and how probable it is that the best is above. `.draws`, shape (draw,
            row). `.about`: the regret of the rival, the compute it wastes, and `improbable`, the
            posterior probability of a ratio as far out as its.

        Raises
        ------
        AskError
            A budget of zero, a law whose inputs cannot be split, an unknown input.

        Examples
        --------
        >>> fit.allocate(1e25, rival={"tokens_per_param": 20})  # doctest: +SKIP

        Source: Hoffmann et al. 2022, arXiv:2203.15556, approach 3; with inference: Sardana et al.
        2024, arXiv:2401.00448.
        """
        from bayescale.ask.allocate import allocate

        return allocate(
            cast("Fit", self),
            budget,
            served=served,
            cost=cost,
            free=free,
            rival=rival,
            benchmark=benchmark,
            interval=interval,
            seed=seed,
            given=given,
        )

    def crossing(
        self,
        a: Mapping[str, Any],
        b: Mapping[str, Any],
        along: str = "flops",
        *,
        other: Fit | None = None,
        within: tuple[float, float] | None = None,
        benchmark: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **given: Any,
    ) -> Answer:
        """Find where two families, corpora or laws cross, and whether they ever do.

        Parameters
        ----------
        a, b
            What tells them apart: ``{"family": "qwen2"}``, ``{"corpus": "c4"}``; may be empty with
            `other`.
        along
            The input along which they are compared.
        other
            A second fit, of another law, that `b` is asked of.
        within
            Where to look; from the smallest run of the fit to a thousand times the largest by
            default.
        benchmark, interval, seed
            As of `required`.
        given
            What both share: tokens_per_param, or one of params, tokens, flops; other inputs.

        Returns
        -------
        Answer
            `.frame`: median and interval of where they first cross; `never`; who is ahead at the
            start. `.draws`, shape (draw, 1), infinite for never.

        Raises
        ------
        AskError
            Both are the same, or see `required`.

        Examples
        --------
        >>> fit.crossing({"corpus": "c4"}, {"corpus": "rpj"}, tokens_per_param=20)  # doctest: +SKIP
        """
        from bayescale.ask.crossing import crossing

        return crossing(
            cast("Fit", self),
            a,
            b,
            along=along,
            other=other,
            within=within,
            benchmark=benchmark,
            interval=interval,
            seed=seed,
            given=given,
        )

    def gain(
        self,
        a: Mapping[str, Any],
        b: Mapping[str, Any],
        at: float,
        along: str = "flops",
        *,
        other: Fit | None = None,
        benchmark: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **given: Any,
    ) -> Answer:
        """Find the compute-equivalent gain of one family, corpus or law over another.

        How many times the compute (or another input) `b` needs to be as good as `a` is.

        Parameters
        ----------
        a, b, other
            As of `crossing`.
        at
            Where: the value of `along` that `a` has.
        along, benchmark, interval, seed, given
            As of `crossing`.

        Returns
        -------
        Answer
            `.frame`: median and interval of the gain, the probability that it is above one, and
            that `b` never gets there. `.draws`, shape (draw, 1).

        Raises
        ------
        AskError
            See `crossing`.

        Examples
        --------
        >>> fit.gain({"family": "qwen2"}, {"family": "llama-2"}, 1e23, benchmark="MMLU",
        ...          tokens_per_param=200)  # doctest: +SKIP

        Source: Davidson et al. 2023, arXiv:2312.07413 (compute-equivalent gain).
        """
        from bayescale.ask.gain import gain

        return gain(
            cast("Fit", self),
            a,
            b,
            at=at,
            along=along,
            other=other,
            benchmark=benchmark,
            interval=interval,
            seed=seed,
            given=given,
        )

    def elasticity(
        self,
        *,
        factor: float = 2.0,
        benchmark: str | Sequence[str] | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **at: Any,
    ) -> Answer:
        """Find what doubling each input brings.

        Parameters
        ----------
        factor
            By what to multiply.
        benchmark, interval, seed
            As of `predict`; the change is of the expected value.
        at
            The run to start from, as in `predict`.

        Returns
        -------
        Answer
            `.frame`: for each input, and for params and tokens together, the change; the elasticity
            ``log(f(factor x) / f(x)) / log(factor)``; the probability that it is for the better.
            `.draws`: the change, shape (draw, row).

        Raises
        ------
        AskError
            A factor of one or less than zero, or no inputs to multiply.

        Examples
        --------
        >>> fit.elasticity(params=7e9, tokens=2e12)  # doctest: +SKIP
        """
        from bayescale.ask.elasticity import elasticity

        return elasticity(
            cast("Fit", self),
            factor=factor,
            benchmark=benchmark,
            interval=interval,
            seed=seed,
            given=at,
        )

    def contributions(
        self,
        *,
        benchmark: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
        **query: Any,
    ) -> Answer:
        """Take a prediction apart: population, family, size, tokens, run, noise.

        A walk from a usual run of the population to the one that is asked about. The steps of each
        draw add up to the predicted value, and their covariances with it are shares of its
        variance: a width budget. A share may be negative, where one step makes good another.

        Parameters
        ----------
        benchmark
            Of what; may be left out where the fit has one response.
        interval, seed
            As of `predict`.
        query
            One query, as in `predict`.

        Returns
        -------
        Answer
            `.frame`: for each part its median and interval, in units of the response, and its
            `share_of_variance`; last the total, a measured value. `.draws`, shape (draw, row).

        Raises
        ------
        AskError
            More than one query, or a benchmark that is not named.

        Examples
        --------
        >>> fit.contributions(benchmark="MMLU", family="mine", params=7e9)  # doctest: +SKIP
        """
        from bayescale.ask.contributions import contributions

        return contributions(
            cast("Fit", self), benchmark=benchmark, interval=interval, seed=seed, given=query
        )

    def update(
        self,
        new: Table,
        *,
        refit: str = "auto",
        interval: float = 0.9,
        seed: int = 0,
        progress: bool = False,
    ) -> Answer:
        r"""Condition the fit on new runs, such as one small run of a new family.

        .. math:: w_s \propto p(y_{new} \mid \theta_s) = \int p(y_{new} \mid u, \theta_s)\,
                  p(u \mid \theta_s)\, du

        Each draw proposes the effects u of the new members from where their likelihood lies, and is
        weighted by it. Where the weights' tail is too heavy, the model is fitted again.

        Parameters
        ----------
        new
            Runs that are not in the fit's table, on benchmarks that are.
        refit
            "auto": where the weights are bad; "never", "always".
        interval
            Probability of the intervals of what was expected.
        seed
            Seed.
        progress
            Whether a refit shows progress.

        Returns
        -------
        Answer
            `.fit`: the fit given them, to be asked like any other; its `evidence` says how.
            `.frame`: each new score beside what the fit expected of it.

        Raises
        ------
        AskError
            The runs are known, or measured on other benchmarks, or lack what the law reads.

        Examples
        --------
        >>> mine = fit.update(bs.read_table("my_small_run.csv")).fit  # doctest: +SKIP

        Source: Vehtari et al. 2016, JMLR 17:103; Vehtari et al. 2024, JMLR 25:72.
        """
        from bayescale.ask.update import update

        return update(
            cast("Fit", self), new, refit=refit, interval=interval, seed=seed, progress=progress
        )

    def place(
        self,
        scores: pd.DataFrame,
        rows: pd.DataFrame | None = None,
        *,
        chance: float = 0.0,
        items: float | None = None,
        interval: float = 0.9,
        seed: int = 0,
        progress: bool = False,
    ) -> Answer:
        r"""Place a new benchmark, agent task or ability on the skills that the leaderboard knows.

        .. math:: \eta = d + \sum_k w_k \left[(1 - a)\, \mathrm{logit}\, q_k + 4 a\, q_k\right],
                  \quad p = l + (u - l)\, \sigma(\eta + \tau t_5)

        q are the expected scores of the skills' anchors (of all benchmarks, where a model has no
        skills), as shares of the room above chance, in the draws of the fit. The fit stays as it
        is: a small regression learns the level, the weights, how far the features are bounded, the
        ends of the curve, and how far runs depart from it. `bayescale.ask.kit.placement.PRIORS` has
        its priors.

        Parameters
        ----------
        scores
            Columns run, benchmark, score in [0, 1], and maybe stderr: a handful of runs of the fit
            on one benchmark that it does not know.
        rows
            What to predict, as in `predict`: planned models, or runs. Every run of the fit by
            default.
        chance
            Score of guessing.
        items
            Number of questions, where known.
        interval
            Probability of the central interval of a measured score.
        seed
            Seed.
        progress
            Whether the regression shows progress.

        Returns
        -------
        Answer
            `.frame`: the rows, the highest first, each with its measured score, if any, and the
            one that a measurement is to give. `.about`: the weights.

        Raises
        ------
        AskError
            A fit of a law, unknown runs, a benchmark that is known, several at once, a score that
            is no share.

        Examples
        --------
        >>> fit.place(scores, chance=0.25, items=400)  # doctest: +SKIP
        >>> plans = pd.DataFrame({"params": [70e9], "tokens": [15e12]})  # doctest: +SKIP
        >>> fit.place(scores, plans, chance=0.25)  # doctest: +SKIP

        Source: Ruan, Maddison and Hashimoto 2024, arXiv:2405.10938 (observational scaling laws).
        """
        from bayescale.ask.place import place

        return place(
            cast("Fit", self),
            scores,
            rows,
            chance=chance,
            items=items,
            interval=interval,
            seed=seed,
            progress=progress,
        )

    def next_run(
        self,
        candidates: pd.DataFrame,
        of: Answer | Prediction,
        *,
        cost: str | None = None,
        batch: int | None = None,
        budget: float | None = None,
        width: float | None = None,
        benchmark: str | None = None,
        interval: float = 0.9,
        seed: int = 0,
    ) -> Answer:
        """Find which run would shrink the uncertainty of a question most for its FLOPs.

        Parameters
        ----------
        candidates
            Runs that could be made, a row each: inputs, members of groups, and a cost.
        of
            The question: an answer, or a prediction, of this fit; its first row counts.
        cost
            Column of the cost; by default `flops`, else 6 x params x tokens.
        batch
            How many runs to choose, each given those before it; one by default, or with `width` as
            many as it takes.
        budget
            What they may cost together.
        width
            A width of the question's interval to come down to, by the cheapest set found: in logs
            for what is told in logs.
        benchmark
            What would be measured, where the fit has several responses.
        interval
            Probability of the interval whose width is told.
        seed
            Seed; that of the question.

        Returns
        -------
        Answer
            `.frame`: candidates by rank, with the expected share of the variance that each takes
            away, the width that is left, and what that is for a FLOP beside the best.

        Raises
        ------
        AskError
            No candidates, no cost, draws of another fit, a budget that affords none.

        Examples
        --------
        >>> fit.next_run(candidates, fit.required(2.0, "params", tokens=1e12))  # doctest: +SKIP

        Source: Goldstein and Wooff 2007, Bayes Linear Statistics; Cohn 1996, Neural Networks 9.
        """
        from bayescale.ask.next_run import next_run

        return next_run(
            cast("Fit", self),
            candidates,
            of=of,
            cost=cost,
            batch=batch,
            budget=budget,
            width=width,
            benchmark=benchmark,
            interval=interval,
            seed=seed,
        )

    def checklist(self) -> Answer:
        """List what a reader needs to reproduce this fit, and what is not known of it.

        Returns
        -------
        Answer
            `.frame`: `section`, `item`, `answer`, and whether it is `known`.

        Examples
        --------
        >>> print(fit.checklist())  # doctest: +SKIP

        Source: Li et al. 2025, arXiv:2502.18969 ((Mis)Fitting).
        """
        from bayescale.ask.checklist import checklist

        return checklist(cast("Fit", self))
