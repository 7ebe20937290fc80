"""Counting tracks at lines and in zones, frame after frame; `docs/counting.md` says by which rules."""
