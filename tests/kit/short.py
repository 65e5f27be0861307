"""How a fit is sampled that is too short to trust, and long enough to use."""

from __future__ import annotations

from typing import Any

SHORT: dict[str, Any] = {"chains": 2, "warmup": 200, "draws": 100, "progress": False}
