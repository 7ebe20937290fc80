"""Telling from a file's own structure, without FFmpeg, what it is and whether it is whole."""

from media.integrity.check import check_integrity

__all__ = ["check_integrity"]
