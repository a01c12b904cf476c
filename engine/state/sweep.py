"""When lists that only grow are swept."""


def is_power_of_two(number: int) -> bool:
    """When a growing list is swept: often enough to stay small, rarely enough to cost nothing."""
    return number & (number - 1) == 0
