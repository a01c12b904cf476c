"""What counts as one of the losses in a row is said where their count stands (A-184, X-05)."""

import pytest

from engine.analytics.status import status_of
from engine.config.limits import KillConfig, RiskConfig
from tests.engine.worlds import MIDDAY, Built, config_of


@pytest.mark.parametrize(
    ("least", "counts"),
    [
        ("0.03", "losses in a row, of 3% of the entry or more"),
        ("0.0251", "losses in a row, of 2.51% of the entry or more"),
        ("0", "losses in a row, of any size"),
    ],
)
def test_the_status_says_which_losses_it_counts_A184(least: str, counts: str) -> None:
    built = Built(config_of(risk={"consecutive_loss_threshold": 3, "consecutive_loss_pct": least}))
    rows = {row["name"]: row for row in status_of(built.world, MIDDAY)["limits"]}
    assert rows["consecutive_loss_threshold"]["counts"] == counts
    assert {row["counts"] for row in rows.values()} == {"", counts}


def test_the_config_says_which_losses_it_counts_A184() -> None:
    words = RiskConfig.model_fields["consecutive_loss_threshold"].description or ""
    assert "each of consecutive_loss_pct or more" in words
    assert "a smaller one changes nothing" in words
    assert "a trade without a loss ends the row" in words
    assert RiskConfig.model_fields["consecutive_loss_pct"].description == (
        "of what was paid to enter: a loss this large counts"
    )
    assert "consecutive_loss_threshold" in (
        KillConfig.model_fields["loss_streak"].description or ""
    )
