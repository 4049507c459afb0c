"""Why ours of the same name is worse somewhere: what was found out, by peer; shown beside the figures of the run."""

from __future__ import annotations

WHY: dict[str, str] = {}
