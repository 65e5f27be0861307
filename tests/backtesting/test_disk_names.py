"""A model's name is no path."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescale.backtesting.disk import fold_folder


@given(name=st.text(max_size=300))
def test_folds_lie_in_the_folder_of_folds(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAYESCALE_CACHE", "/cache")
        folder = fold_folder(name, "0" * 64)
        inside = fold_folder("plain", "0" * 64)
    assert folder is not None
    assert inside is not None
    assert folder.parent == inside.parent
    assert Path("/cache") in folder.parents
    assert len(folder.name.encode()) < 255
