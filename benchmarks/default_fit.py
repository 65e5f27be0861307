"""Time and mixing of the default fit of the bundled leaderboard.

    python -m benchmarks.default_fit                 # seeds 0, 1, 2, cold then warm
    python -m benchmarks.default_fit --seeds 0

Each fit runs in a process of its own through the command line; "cold" starts from an empty
compilation cache, "warm" from the cache that the cold run left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.shared.command import parser_of


def one_fit(seed: int, folder: Path) -> dict:
    """Fit in a new process; return seconds and the verdict's figures."""
    out = folder / f"fit-{seed}.nc"
    command = str(Path(sys.executable).parent / "bayescale")
    environment = {**os.environ, "BAYESCALE_CACHE": str(folder / "cache")}
    began = time.perf_counter()
    subprocess.run(
        [command, "fit", "skills", "--seed", str(seed), "--out", out, "--quiet", "--yes-overwrite"],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - began
    told = subprocess.run(
        [command, "summary", out, "--json"],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    summary = json.loads(told.stdout)
    figures = ("verdict", "max_r_hat", "min_ess", "divergences")
    return {"seed": seed, "seconds": seconds, **{name: summary[name] for name in figures}}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("cold", "warm"):
                print(json.dumps({"cache": cache, **one_fit(seed, Path(folder))}), flush=True)


if __name__ == "__main__":
    main()
