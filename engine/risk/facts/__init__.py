"""What a row of the gate may read: each fact under one name.

A row declares what it reads by the names of its parameters: a field of the request, or an attribute
of `Facts` (`engine.risk.gate`). Nothing else reaches it, so that what a verdict leaned on can be
read off the row. Each file holds the facts of one subject, as a class that `Facts` is made of.
"""

from engine.risk.facts.account import AccountFacts
from engine.risk.facts.stop import StopFacts


class Facts(StopFacts, AccountFacts):
    """The world as one request meets it at one moment.

    What several rows lean on is worked out once, when the first of them asks for it: `kept`, or
    `kept_for_quantity` where it leans on the quantity, which a row may make smaller. A stop leans
    on exposure and on what is held, exposure on prices; an account and exposure on the portfolio.
    """

    __slots__ = ()
