"""ONNX Runtime sessions as an analysis process wants them."""

from pathlib import Path

import onnxruntime as ort


def create_session(path: Path) -> ort.InferenceSession:
    """A session on one thread that does not spin: a slot is one core, and results depend on no other."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
