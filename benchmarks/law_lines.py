"""How many lines it takes to state a law: the whole of it, and the formula alone.

python -m benchmarks.law_lines
"""

from __future__ import annotations

import ast
import inspect
import statistics

from bayescale.parts.find import parts
from bayescale.parts.part import Law
from benchmarks.shared.command import parser_of


def main() -> None:
    parser_of(__doc__).parse_args()
    whole, formula = [], []
    for name, law in parts(Law).items():
        source = inspect.getsource(law.function)
        [function] = ast.parse(source).body
        _, *body = function.body  # the docstring comes first
        whole.append(len(source.splitlines()))
        formula.append(body[-1].end_lineno - body[0].lineno + 1)
        print(f"{name:22} {whole[-1]:3} lines, {formula[-1]:2} of them formula")
    print(f"median {statistics.median(whole):g} lines, {statistics.median(formula):g} of formula")


if __name__ == "__main__":
    main()
