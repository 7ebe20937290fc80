"""Whose turn it is on the event loop."""
