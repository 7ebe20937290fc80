"""Who goes first when there are too many connections."""

from cli.api_server.connection_crowd import ConnectionCrowd


class Silent:
    def __init__(self) -> None:
        self.has_gone = False

    def give_up(self) -> None:
        self.has_gone = True


def test_there_is_room_until_there_are_too_many():
    assert ConnectionCrowd(2).has_room(1)
    assert not ConnectionCrowd(2).has_room(2)


def test_who_waited_longest_makes_room():
    crowd, first, second = ConnectionCrowd(2), Silent(), Silent()
    crowd.wait(first)
    crowd.wait(second)
    assert crowd.has_room(2)
    assert (first.has_gone, second.has_gone) == (True, False)
    assert crowd.has_room(2)
    assert second.has_gone
    assert not crowd.has_room(2)


def test_who_is_needed_stays():
    crowd, needed = ConnectionCrowd(1), Silent()
    crowd.wait(needed)
    crowd.leave(needed)
    assert not crowd.has_room(1)
    assert not needed.has_gone
    crowd.leave(needed)
