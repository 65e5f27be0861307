"""What the command lines of the benchmarks share: where records lie, usual options, progress."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser whose help is the text of the script."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def say(text: str) -> None:
    """Tell on standard error what goes on."""
    print(text, file=sys.stderr, flush=True)
