import pytest

from napari_spaceediting.wording import counted, quoted


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (2000, "image", "2,000 images"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
    ],
)
def test_things_are_counted_in_words(count, noun, text):
    assert counted(count, noun) == text


def test_a_name_that_could_be_several_is_quoted():
    assert quoted("glass, green") == "“glass, green”"
    assert quoted("green glass") == "green glass"
