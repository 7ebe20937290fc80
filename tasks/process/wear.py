"""When a process has worked long enough."""

from tasks.process.memory import resident_bytes
from tasks.process.options import ProcessOptions
from tasks.process.protocol import Message

_MIB = 2**20
_NO_WORK = "warm"


class Wear:
    """What a process has done and how large it has become.

    Args:
        pid: Of the process.
        options: That it was started with.
    """

    def __init__(self, pid: int, options: ProcessOptions) -> None:
        self._pid = pid
        self._options = options
        self._jobs = 0
        self._ml_models: set[str] = set()
        self._first_bytes: int | None = None
        self._bytes: int | None = None

    def note(self, request: Message) -> None:
        """A request was answered. One that loaded another model makes the size after it the first size."""
        if request.kind == _NO_WORK:
            return
        self._jobs += 1
        self._bytes = resident_bytes(self._pid)
        ml_model = request.values.get("ml_model")
        if ml_model is not None and ml_model not in self._ml_models:
            self._ml_models.add(ml_model)
            self._first_bytes = self._bytes

    def reason(self) -> str | None:
        """Why the process is to be replaced; None if it is not."""
        if self._jobs >= self._options.max_jobs:
            return f"it has done {self._jobs} pieces of work"
        if self._first_bytes is None or self._bytes is None:
            return None
        growth_bytes = self._bytes - self._first_bytes
        if growth_bytes > self._options.growth_bytes:
            return f"it grew by {growth_bytes // _MIB} MB"
        return None
