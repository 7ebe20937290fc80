"""What can be wrong with ground truth."""


class EvaluationError(Exception):
    """The base of what stops an evaluation; its text is for people."""


class GroundTruthError(EvaluationError):
    """Raised when ground truth cannot be read, or does not fit its videos."""
