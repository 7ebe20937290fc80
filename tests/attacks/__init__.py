"""Attacks on a real API process, and what they did to it."""
