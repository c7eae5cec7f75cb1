from __future__ import annotations

import pytest

from napari_spaceediting.traversal.settings import TraversalError, TraverseSettings


def test_the_change_grows_along_the_path_whatever_the_order_given():
    assert TraverseSettings(budgets=(0.1, 0.3, 0.2)).path == (0.3, 0.2, 0.1)
    assert TraverseSettings("dfi", budgets=(1.5, 0.5)).path == (0.5, 1.5)


def test_images_have_as_many_steps_as_budgets_were_given():
    assert TraverseSettings(budgets=(0.1, 0.2)).steps == 2
    assert TraverseSettings().steps == len(TraverseSettings().path) == 8


def test_from_features_alone_nothing_holds_images_to_a_preview():
    settings = TraverseSettings(neighbours=(7,)).from_features_alone()
    assert (settings.preview_weight, settings.neighbours) == (0, (7,))
    assert settings.iterations > TraverseSettings().iterations


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"method": "pgd"}, "dmt, dfi"),
        ({"budgets": ()}, "at least one"),
        ({"budgets": (0.3, 0.0)}, "budget 0.0"),
        ({"budgets": (-1.0,)}, "budget -1.0"),
        ({"budgets": (float("nan"),)}, "budget nan"),
        ({"budgets": (float("inf"),)}, "budget inf"),
        ({"kernel_mean": 1.0}, "between 0"),
        ({"tv_weight": float("nan")}, "total variation"),
        ({"iterations": -1}, '"iterations" is -1'),
        ({"preview_weight": -0.5}, "preview"),
        ({"neighbours": (50, 0)}, '"neighbours" is 0'),
        ({"neighbours": ()}, "neighbours"),
        ({"typical": 1.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(values, says):
    with pytest.raises(TraversalError, match=says):
        TraverseSettings(**values)
