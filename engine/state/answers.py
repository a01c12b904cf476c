"""Answers to commands that carried an id of their asker's, kept for a day (INTERFACE, `--id`)."""

from typing import Final, TypeAlias

import msgspec

from engine.domain.events import CommandAnswered
from engine.domain.instant import NS_PER_SECOND, Nanos

KEPT_FOR: Final[Nanos] = 24 * 3600 * NS_PER_SECOND
"""So long, of event time, the same id gets the same answer."""

AT_MOST: Final = 30_000
"""So many answers are kept at most, the newest. Twenty entries a minute, the default of
`[risk] max_orders_per_minute`, are 28,800 a day."""


class Answer(msgspec.Struct, frozen=True):
    """An answer, and when it was given."""

    at: Nanos
    event: CommandAnswered

    def is_kept(self, now: Nanos) -> bool:
        """Whether it is given again at `now`: for 24 h, that moment included."""
        return now - self.at <= KEPT_FOR


Answers: TypeAlias = dict[str, Answer]
"""By the id of the asker, the oldest first."""


def keep(answers: Answers, event: CommandAnswered, at: Nanos) -> None:
    """Keep the answer that was given `at`, and let go of those that are too old or too many.

    That their ids were used stays known (`Book.seen_commands`), so that nothing is done twice.
    """
    answers[event.intent_id] = Answer(at, event)
    while len(answers) > AT_MOST or not next(iter(answers.values())).is_kept(at):
        del answers[next(iter(answers))]


def answer_to(answers: Answers, intent_id: str, now: Nanos) -> CommandAnswered | None:
    """What the command of an id was answered, None where that is not kept any more."""
    found = answers.get(intent_id)
    return found.event if found is not None and found.is_kept(now) else None
