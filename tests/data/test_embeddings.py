from __future__ import annotations

import h5py
import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.groups import groups_of
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.splits import Split
from napari_spaceediting.data.words import in_words, note_of
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job

N, WIDTH = 24, 10
ROWS = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)
IDS = [f"p{at:02d}" for at in range(N)]
LABELS = ["dog", "cat"] * (N // 2)


def opened(path, **options):
    return run_job(OpenDataset(path, **options))


def table(**columns):
    return pd.DataFrame({"id": IDS, "label": LABELS, **columns})


def numbered(stem, start=0):
    return {f"{stem}{at + start}": ROWS[:, at] for at in range(WIDTH)}


@pytest.fixture
def images(tmp_path):
    """A folder with an image of each id, in two classes."""
    for at, (name, label) in enumerate(zip(IDS, LABELS, strict=True)):
        (tmp_path / "pets" / label).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "pets" / label / f"{name}.png"
        iio.imwrite(path, np.full((9, 9), at, np.uint8))
    return tmp_path / "pets"


def test_a_matrix_is_a_row_for_each_point(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS.astype(np.float64))
    dataset = opened(tmp_path / "rows.npy")
    assert_array_equal(dataset.features, ROWS)
    assert dataset.features.dtype == np.float32
    assert not dataset.has_images
    assert note_of(dataset).startswith("24 points, with embeddings of 10 numbers, unl")
    assert "intensities" not in in_words(dataset).lower()
    np.savez(tmp_path / "rows.npz", x=ROWS, y=np.arange(N) % 2)
    dataset = opened(tmp_path / "rows.npz")
    assert_array_equal(dataset.features, ROWS)
    assert dataset.class_names == ("0", "1")
    np.savez(tmp_path / "parts.npz", x_train=ROWS[:16], x_test=ROWS[16:])
    dataset = opened(tmp_path / "parts.npz")
    assert_array_equal(dataset.features, ROWS)
    assert np.count_nonzero(dataset.split == Split.TEST) == N - 16
    np.savez(tmp_path / "parts.npz", x_train=ROWS[:16], x_test=ROWS[16:, :4])
    with pytest.raises(DataError, match="several lengths, 16 x 10, 8 x 4"):
        opened(tmp_path / "parts.npz")


@pytest.mark.parametrize(
    "columns",
    [{"embedding": list(ROWS)}, {"anything": list(ROWS)}, numbered("emb_", 1)],
)
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_columns_of_a_table_are_embeddings(tmp_path, columns, suffix):
    path = tmp_path / f"points{suffix}"
    if suffix == ".parquet":
        table(**columns, area=range(N)).to_parquet(path)
    elif len(columns) > 1:
        table(**columns, area=range(N)).to_csv(path, index=False)
    else:
        pytest.skip("a text file has no lists")
    dataset = opened(path)
    assert_allclose(dataset.features, ROWS, rtol=1e-6)
    assert list(dataset.ids) == IDS
    assert [dataset.class_names[at] for at in dataset.labels] == LABELS
    assert set(dataset.columns) == {"area"}


def test_a_few_numbered_columns_are_measurements(tmp_path, images):
    few = {f"dim_{at}": ROWS[:, at] for at in range(3)}
    paths = [
        f"pets/{label}/{name}.png" for name, label in zip(IDS, LABELS, strict=True)
    ]
    table(path=paths, **few).to_csv(tmp_path / "points.csv", index=False)
    dataset = opened(tmp_path / "points.csv")
    assert dataset.features is None
    assert set(few) <= set(dataset.columns)


def test_a_text_table_is_read_as_its_program_wrote_it(tmp_path):
    path = tmp_path / "points.csv"
    table(Group=range(N), **numbered("emb_")).to_csv(
        path, index=False, sep=";", decimal=","
    )
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rpartition(";")[0] + ";"
    path.write_text("\n".join([*lines[:9], "", *lines[9:]]))
    dataset = opened(path)
    assert_allclose(dataset.features, np.delete(ROWS, 4, axis=0), rtol=1e-6)
    assert_array_equal(groups_of(dataset.columns, N - 1) - N + 1, range(N - 1))
    assert [entry.name for entry in dataset.skipped] == ["p04"]


def test_other_lists_are_columns(tmp_path):
    path = tmp_path / "points.parquet"
    others = {"tags": [["a", "b"]] * N, "box": [[0.0, 1.0, 2.0, 3.0]] * N}
    points = table(**others, embedding=list(ROWS)).set_index("id")
    points.to_parquet(path)
    dataset = opened(path)
    assert_array_equal(dataset.ids, IDS)
    assert_array_equal(dataset.features, ROWS)
    assert set(dataset.columns) == {"tags", "box"}


def test_several_people_name_a_point(tmp_path):
    path = tmp_path / "points.parquet"
    one = table(embedding=list(ROWS), person="one")
    other = one.assign(person="other", label=LABELS[::-1])
    pd.concat([one, other]).to_parquet(path)
    dataset = opened(path)
    assert_array_equal(dataset.features, ROWS)
    assert dataset.soft_labels is not None
    pd.concat([one, one.assign(embedding=list(ROWS + 1))]).to_parquet(path)
    with pytest.raises(DataError, match="more than once"):
        opened(path)


def test_which_of_several_lists_must_be_clear(tmp_path):
    path = tmp_path / "points.parquet"
    table(one=list(ROWS), two=list(ROWS)).to_parquet(path)
    with pytest.raises(DataError, match="'one', 'two': call the one"):
        opened(path)
    table(one=list(ROWS), embedding=list(2 * ROWS)).to_parquet(path)
    assert_array_equal(opened(path).features, 2 * ROWS)


def test_embeddings_that_cannot_be_used_are_left_out(tmp_path):
    rows = [row.copy() for row in ROWS]
    rows[3][2], rows[5][:] = np.inf, 0
    rows[7] = None
    path = tmp_path / "points.parquet"
    table(embedding=rows).to_parquet(path)
    dataset = opened(path)
    assert_array_equal(dataset.features, np.delete(ROWS, [3, 5, 7], axis=0))
    assert {entry.name: entry.reason for entry in dataset.skipped} == {
        "p03": "has an embedding with NaN or infinite numbers",
        "p05": "has an embedding of zeros only",
        "p07": "has no embedding",
    }
    table(embedding=[*ROWS[:-1], ROWS[0, :4]]).to_parquet(path)
    with pytest.raises(DataError, match="the one in row 24 has 4"):
        opened(path)


def test_annotated_data(tmp_path):
    with h5py.File(tmp_path / "cells.h5ad", "w") as file:
        obs, obsm = file.create_group("obs"), file.create_group("obsm")
        obs.attrs["_index"], obs.attrs["column-order"] = "cell", ["label", "depth"]
        obs["cell"], obs["depth"] = IDS, np.arange(N)
        label = obs.create_group("label")
        label["codes"] = np.array([1, -1] * (N // 2), np.int8)
        label["categories"] = ["T", "B"]
        obsm["X_scvi"], obsm["X_umap"] = ROWS, ROWS[:, :2]
    dataset = opened(tmp_path / "cells.h5ad")
    assert_array_equal(dataset.features, ROWS)
    assert dataset.class_names == ("B",)
    assert_array_equal(dataset.labels, [0, -1] * (N // 2))
    assert_array_equal(dataset.columns["depth"], np.arange(N))
    assert "“obsm X_scvi” is taken as embeddings of 10 numbers" in dataset.notes[0]
    with h5py.File(tmp_path / "cells.h5ad", "a") as file:
        del file["obsm/X_scvi"]
    with pytest.raises(DataError, match="no embedding in obsm, only 'X_umap'"):
        opened(tmp_path / "cells.h5ad")


def test_a_matrix_goes_with_images_in_their_order(tmp_path, images):
    np.save(tmp_path / "rows.npy", ROWS)
    broken = images / "cat" / "p03.png"
    broken.write_bytes(b"nothing")
    dataset = opened(images, embeddings=tmp_path / "rows.npy")
    assert dataset.has_images
    assert_array_equal(dataset.features, np.delete(ROWS, 1, axis=0))
    assert "from cat/p01.png to dog/p22.png" in " ".join(dataset.notes)
    np.save(tmp_path / "rows.npy", ROWS[1:])
    with pytest.raises(DataError, match="23 embeddings, and pets 24 images"):
        opened(images, embeddings=tmp_path / "rows.npy")


def test_a_table_names_the_images_of_its_embeddings(tmp_path, images):
    names = [f"{label}/{name}.png" for name, label in zip(IDS, LABELS, strict=True)]
    order = np.random.default_rng(1).permutation(N)[2:]
    rows = pd.DataFrame({"path": names, "embedding": list(ROWS)}).iloc[order]
    rows.to_parquet(tmp_path / "rows.parquet")
    dataset = opened(images, embeddings=tmp_path / "rows.parquet")
    assert len(dataset) == N - 2
    assert all(entry.reason == "has no embedding" for entry in dataset.skipped)
    at = [names.index(name) for name in dataset.ids]
    assert_array_equal(dataset.features, ROWS[at])
    rows.assign(path="x" + rows["path"]).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="name each by its id"):
        opened(images, embeddings=tmp_path / "rows.parquet")


def test_points_without_images_show_their_text(tmp_path):
    path = tmp_path / "points.parquet"
    words = ["a word", "a rather long sentence about nothing " * 5] * (N // 2)
    table(embedding=list(ROWS), caption=words).to_parquet(path)
    dataset = opened(path)
    tiles = dataset.thumbnails(np.arange(N), 64)
    assert_array_equal(tiles[0], tiles[2])
    assert not np.array_equal(tiles[0], tiles[1])
    assert (tiles > 150).any(axis=(1, 2, 3)).all()
    assert_array_equal(dataset.columns["caption"], [text.strip() for text in words])


def test_what_joins_must_have_embeddings_of_the_same_kind(tmp_path, images):
    path, more = tmp_path / "points.parquet", tmp_path / "more.parquet"
    table(embedding=list(ROWS)).to_parquet(path)
    dataset = opened(path)
    table(embedding=list(ROWS)).iloc[:3].to_parquet(more)
    added = opened(more, like=dataset)
    both = dataset.joined(added)
    assert_array_equal(both.features, np.concatenate([ROWS, ROWS[:3]]))
    assert not both.has_images
    assert both.before_joined().features.shape == ROWS.shape
    table(embedding=list(ROWS[:, :5])).to_parquet(more)
    with pytest.raises(DataError, match="embeddings of 10 numbers, those of more 5"):
        opened(more, like=dataset)
    with pytest.raises(DataError, match="those of pets none"):
        opened(images, like=dataset)
    with pytest.raises(DataError, match="add images"):
        opened(path, like=opened(images))
