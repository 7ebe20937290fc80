"""How good a model and a tracker are on videos with ground truth."""
