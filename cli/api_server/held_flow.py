"""Flow control with a second reason not to read: what was read has yet to be taken."""

from uvicorn.protocols.http.flow_control import FlowControl


class HeldFlow(FlowControl):
    """Reads nothing more while it is held, whatever else would let it.

    Otherwise a client that sends faster than its body is taken would fill the memory.
    """

    is_held = False

    def hold(self) -> None:
        """Read nothing more."""
        if not self.is_held:
            self.is_held = True
            if not self.read_paused:
                self._transport.pause_reading()

    def release(self) -> None:
        """Read on, unless there is another reason not to."""
        if self.is_held:
            self.is_held = False
            if not self.read_paused and not self._transport.is_closing():
                self._transport.resume_reading()

    def pause_reading(self) -> None:
        """The application has enough for now."""
        if self.is_held:
            self.read_paused = True
        else:
            super().pause_reading()

    def resume_reading(self) -> None:
        """The application wants more."""
        if self.is_held:
            self.read_paused = False
        else:
            super().resume_reading()
