"""The table of phases and events is whole, and leads where it should."""

import itertools

import pytest

from rollout.engine.transitions import BACK, NEVER, STAY, TABLE, Event, follow
from rollout.model.status.vocabulary import Phase


def test_every_pair_of_phase_and_event_is_in_the_table():
    assert set(TABLE) == set(itertools.product(Phase, Event))
    assert all(target in (NEVER, STAY, BACK) or target in Phase for target in TABLE.values())


def test_a_pair_that_must_not_be_is_an_error():
    for (phase, event), target in TABLE.items():
        if target == NEVER:
            with pytest.raises(ValueError, match="no such transition"):
                follow(phase, event)


def test_every_phase_of_a_running_rollout_can_go_back_to_stable():
    running = set(Phase) - {Phase.STABLE, Phase.ROLLED_BACK, Phase.DRAINING, Phase.ROLLING_BACK}
    for phase in running:
        assert follow(phase, Event.ROLL_BACK) is Phase.ROLLING_BACK


def test_every_phase_can_be_left_and_reached():
    reached = {target for target in TABLE.values() if target in list(Phase)} | {Phase.PAUSED}
    assert reached == set(Phase)
    for phase in Phase:
        assert any(TABLE[phase, event] not in (NEVER, STAY) for event in Event), phase


def test_a_pause_leads_back_to_where_it_began():
    assert follow(Phase.PAUSED, Event.RESUME, Phase.BAKING) is Phase.BAKING


def test_promotion_is_reached_only_through_the_last_step_and_the_bake():
    into_baking = {pair for pair, target in TABLE.items() if target == Phase.BAKING}
    into_draining = {pair for pair, target in TABLE.items() if target == Phase.DRAINING}
    past_a_stable_version_that_is_down = (Phase.PREFLIGHT, Event.STABLE_PASSED)
    assert into_baking == {(Phase.OBSERVING, Event.LAST_STEP_PASSED), past_a_stable_version_that_is_down}
    assert into_draining == {(Phase.BAKING, Event.BAKED)}
