"""Chaos: real work under kills and control calls, compared with an undisturbed run. Run `make chaos`."""
