"""Refits of published laws: what papers print, the band around it, and what comes out here.

    python -m benchmarks.catalogue                 # every row, a few minutes
    python -m benchmarks.catalogue --row 7 --json

Set BAYESCALE_MIRROR to the folder of raw files. A row without a band is shown beside the others: a
published number that need not be that of another noise or of fewer runs. "mean" is a posterior
mean, "best" what least squares (or the paper's own objective) finds with our law. A row is one
function in the file of its family of laws, and one test in tests/benchmarks/test_catalogue.py.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pandas as pd

from bayescale.base.files import atomic_path
from bayescale.base.runtime import keep_compiled
from benchmarks.catalogue.rows import ROWS
from benchmarks.shared.command import RESULTS, parser_of, say

RECORD = RESULTS / "catalogue.json"


def done() -> dict[str, list[dict[str, Any]]]:
    return json.loads(RECORD.read_text("utf-8")) if RECORD.is_file() else {}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--row", nargs="+", choices=list(ROWS), help="rows to run, even if done")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    keep_compiled()
    found = done()
    for row in args.row or [row for row in ROWS if row not in found]:
        say(f"row {row}")
        lines = ROWS[row]()
        found[row] = [{**asdict(line), "inside": line.inside} for line in lines]
        found = {row: found[row] for row in ROWS if row in found}
        with atomic_path(RECORD) as temporary:
            temporary.write_text(json.dumps(found, indent=1, default=float) + "\n", "utf-8")
    shown = {row: found[row] for row in args.row or found}
    if args.json:
        print(json.dumps(shown, indent=1))
        return
    frame = pd.DataFrame([{"row": row, **line} for row, lines in shown.items() for line in lines])
    inside = frame["inside"].map({True: "yes", False: "NO"}).fillna("shown")
    print(frame.assign(inside=inside).to_string(index=False, float_format="{:.4g}".format))


if __name__ == "__main__":
    main()
