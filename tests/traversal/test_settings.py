from __future__ import annotations

import pytest

from napari_spaceediting.traversal.settings import TraversalError, TraverseSettings


def test_the_change_grows_along_the_path_whatever_the_order_given():
    assert TraverseSettings(budgets=(0.1, 0.3, 0.2)).path == (0.3, 0.2, 0.1)


def test_images_have_as_many_steps_as_budgets_were_given():
    assert TraverseSettings(budgets=(0.1, 0.2)).steps == 2
    assert TraverseSettings().steps == len(TraverseSettings().path) == 8


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"budgets": ()}, "budgets.*one positive number"),
        ({"budgets": (0.3, 0.0)}, "budgets.*0.0.*positive"),
        ({"budgets": (-1.0,)}, "budgets.*-1.0.*positive"),
        ({"budgets": (float("nan"),)}, "budgets.*nan.*positive"),
        ({"budgets": (float("inf"),)}, "budgets.*inf.*positive"),
        ({"regime": "dreams"}, "regime.*mixtures or features"),
        ({"iterations": -1}, '"iterations" is -1'),
        ({"neighbours": (50, 0)}, '"neighbours" is .*0.*at least 1'),
        ({"neighbours": ()}, "neighbours"),
        ({"typical": 1.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(values, says):
    with pytest.raises(TraversalError, match=says):
        TraverseSettings(**values)
