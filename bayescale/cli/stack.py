"""`bayescale stack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescale.base.errors import CompareError
from bayescale.base.runtime import keep_compiled
from bayescale.cli.backtest import By
from bayescale.cli.group import examples
from bayescale.cli.options import Json, Quiet, Seed
from bayescale.cli.output import check_free, note, show_json
from bayescale.cli.own_law import load_fit, with_law

EXAMPLES = examples(
    "bayescale stack chinchilla.nc kaplan-nd.nc --out stack.json",
    "bayescale stack skills.nc compute.nc --by family --keep 1",
)


@with_law
def stack(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT...", help="Two or more fit files.")],
    by: Annotated[
        By, typer.Option(help="What is held out to find the weights, as in `backtest`.")
    ] = By.size,
    keep: Annotated[int | None, typer.Option(min=0, help="As in `backtest`.")] = None,
    group: Annotated[
        str, typer.Option(help="The column of groups that stands for families, such as corpus.")
    ] = "family",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("stack.json"),
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    yes_overwrite: Annotated[
        bool, typer.Option("--yes-overwrite", help="Replace the file if there is one.")
    ] = False,
) -> None:
    """Weigh fits of the same table by how they predict what is held out; predict with all."""
    check_free(out, yes_overwrite)
    names = [path.stem for path in fits]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CompareError(f"two fits have the file name {', '.join(twice)}: rename one")
    keep_compiled()
    import bayescale as bs

    loaded = {name: load_fit(path) for name, path in zip(names, fits, strict=True)}
    found = bs.stack(loaded, by.value, keep=keep, group=group, seed=seed, progress=not quiet)
    found.save(out, dict(zip(names, fits, strict=True)))
    if as_json:
        show_json({"weights": found.weights.to_dict(), "validation": found.validation})
    else:
        typer.echo(str(found))
    note(f"wrote {out}; next: bayescale predict {out} with what you would ask a fit")
