from media.clock import PresentationClock


def times(
    values: list[int | None], step: int = 10, ticks_per_second: float = 100
) -> tuple[list[int], PresentationClock]:
    clock = PresentationClock(step, ticks_per_second)
    return [clock.time_of(value) for value in values], clock


def test_good_times_pass_unchanged() -> None:
    result, clock = times([-20, 0, 5, 400])
    assert result == [-20, 0, 5, 400]
    assert not clock.repaired
    assert not clock.repeated


def test_a_missing_time_follows_the_frame_before() -> None:
    result, clock = times([None, None, 40, None])
    assert result == [0, 10, 40, 50]
    assert clock.repaired


def test_jitter_moves_one_frame_only() -> None:
    assert times([0, 30, 20, 40])[0] == [0, 30, 31, 40]


def test_a_jump_back_joins_on() -> None:
    assert times([1000, 1010, 0, 10, 20])[0] == [1000, 1010, 1020, 1030, 1040]


def test_repeated_times_are_kept_and_noted() -> None:
    result, clock = times([0, 10, 10, 20])
    assert result == [0, 10, 10, 20]
    assert clock.repeated
    assert not clock.repaired
