"""Choosing what of the face tracks of an analysis is looked at, and what the register is told."""
