"""`[alerts]` and `[console]`: what a person sees and hears."""

from typing import Annotated, Literal

from pydantic import Field

from engine.config.kinds import Name, Texts, whole
from engine.config.section import Section


class AlertsConfig(Section):
    """Messages to the operator."""

    urls: Texts = Field((), description="apprise URLs")
    minimum: Literal["info", "warning", "error", "critical"] = Field(
        "warning", description="info | warning | error | critical"
    )


class ConsoleConfig(Section):
    """How the console looks."""

    theme: Name = Field("meridian", description="a theme of the console")
    refresh_hz: Annotated[int, whole(0, 60)] = Field(
        0, description="0 = 10 local, 4 over a slow link"
    )
    glyphs: Literal["unicode", "ascii"] = Field("unicode", description="unicode | ascii")
    profit_colours: Literal["green-red", "red-green", "blue-orange"] = Field(
        "green-red", description="green-red | red-green | blue-orange"
    )
