"""Analyses at the edge: settings, progress, detections, tracks, results."""
