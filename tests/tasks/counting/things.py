"""Drawn things that walk, for counting."""

import itertools

from tasks.counting.counter import Crossing, Seen, TrackCounter, Visit

WIDTH, HEIGHT = 1000, 500
UP = {"name": "door", "start": (0.5, 1.0), "end": (0.5, 0.0)}
"""In is from the left to the right."""
ROOM = {"name": "room", "points": ((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0))}
FRAME_SECONDS = 0.1


class Scene:
    """Counts things given by their feet, all of one size: the margin is 0.05 * (20 + 60) = 4 pixels."""

    def __init__(self, lines=(UP,), zones=(ROOM,)):
        self.crossings: list[Crossing] = []
        self.visits: list[Visit] = []
        self.counting = {"lines": list(lines), "zones": list(zones)}
        self.counter = self.new_counter()
        self.frame = itertools.count()

    def new_counter(self):
        return TrackCounter(self.counting, WIDTH, HEIGHT, self.crossings.append, self.visits.append)

    def show(self, *feet):
        """The next frame: things are (track id, x, y) or (track id, x, y, label)."""
        seconds = next(self.frame) * FRAME_SECONDS
        self.counter.update(seconds, [seen(*thing) for thing in feet])
        return seconds

    def walk(self, track_id, *xs, y=300.0, label="person"):
        for x in xs:
            self.show((track_id, x, y, label))

    @property
    def line(self):
        (line,) = self.counter.totals()["lines"]
        return line["in"], line["out"]

    @property
    def zone(self):
        (zone,) = self.counter.totals()["zones"]
        return zone["occupancy"], zone["entries"], zone["exits"]


def seen(track_id, x, y, label="person"):
    return Seen(track_id, label, x - 10, y - 60, x + 10, y)
