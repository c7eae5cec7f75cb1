"""Tables as other programs and people write them."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import unicodedata

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.specs import pixels_from_spec, spec_of
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job

N = 8


@pytest.fixture
def folder(tmp_path):
    """A folder with eight images, of which each pixel is the number."""
    for k in range(N):
        Image.fromarray(np.full((28, 28), k, np.uint8)).save(tmp_path / f"{k}.png")
    return tmp_path


def opened(path):
    return run_job(OpenDataset(path))


def written(folder, rows, header="path,label", name="t.csv", encoding="utf-8"):
    text = "\n".join([header, *rows]) + "\n"
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


def rows_of(labels, mark=","):
    return [f"{k}.png{mark}{label}" for k, label in enumerate(labels)]


def names_of(dataset):
    """Return the class of each image, None where there is none."""
    return [(*dataset.class_names, None)[k] for k in dataset.labels]


# Labels


@pytest.mark.parametrize(
    "name", ["None", "NA", "null", "nan", "n/a", "N/A", "NULL", "none", "#N/A", "NaN"]
)
def test_a_class_may_be_called_none(folder, name):
    dataset = opened(written(folder, rows_of([name, "scratch"] * 4)))
    assert names_of(dataset) == [name, "scratch"] * 4


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1", "1.0", "2", "2.0", "1.", "2", "1", ""], ("1", "2")),
        (["0.0", "1.0"] * 4, ("0", "1")),
        (["cat", "cat ", " cat", "dog", "dog\u00a0", "dog", "", " "], ("cat", "dog")),
        (["v1.0", "v1.1"] * 4, ("v1.0", "v1.1")),
        (["1.0", "1.5"] * 4, ("1.0", "1.5")),
        (["007", "01"] * 4, ("01", "007")),
        (["0", "1", "-1", "0", "1", "-1", "0", "1"], ("0", "1")),
        (["-1", "1"] * 4, ("1", "-1")),
        (["True", "False"] * 4, ("False", "True")),
    ],
)
def test_one_label_is_one_class_in_text(folder, labels, classes):
    assert opened(written(folder, rows_of(labels))).class_names == classes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([b"cat", b"dog "] * 4, ("cat", "dog")),
        ([1.0, 2.0, None, 1.0, 2.0, 1.0, 1.0, 2.0], ("1", "2")),
        ([True, False] * 4, ("False", "True")),
        (pd.Categorical(["cat", "dog"] * 4), ("cat", "dog")),
        (["None", None] * 2 + ["a"] * 4, ("a", "None")),
        ([0, 1, -1, 0] * 2, ("0", "1")),
    ],
)
def test_one_label_is_one_class_in_parquet(folder, labels, classes):
    table = pd.DataFrame({"path": [f"{k}.png" for k in range(N)], "label": labels})
    table.to_parquet(folder / "t.parquet")
    assert opened(folder / "t.parquet").class_names == classes


def test_labels_below_0_are_told(folder):
    dataset = opened(written(folder, rows_of([0, 1, -1, -1, 0, 1, 0, 1])))
    assert "2 labels are below 0 and count as none." in dataset.notes


def test_forms_of_one_name_are_one_class(folder):
    names = [unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD")]
    dataset = opened(written(folder, rows_of([*names, "Biene", "Biene"] * 2)))
    assert dataset.class_names == ("Biene", names[0])


# How it is written


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_separators_and_encodings(folder, mark, suffix, encoding):
    rows = [
        row + f"{mark}{k},5" * (mark != ",")
        for k, row in enumerate(rows_of("ab" * 4, mark))
    ]
    header = mark.join(["path", "label", *(["dose"] if mark != "," else [])])
    path = written(folder, rows, header, f"t.{suffix}", encoding)
    dataset = opened(path)
    assert names_of(dataset) == list("ab" * 4)
    if mark != ",":
        assert_allclose(dataset.columns["dose"], np.arange(N) + 0.5)
    usual = {"csv": ",", "tsv": "\t"}[suffix]
    assert any("separated by" in note for note in dataset.notes) == (mark != usual)


def test_what_is_not_utf_8_is_read_and_told(folder):
    dataset = opened(
        written(folder, rows_of(["Käfer", "Ameise"] * 4), encoding="cp1252")
    )
    assert dataset.class_names == ("Ameise", "Käfer")
    assert any("not UTF-8" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("path,label,", [f"{row}," for row in rows_of("ab" * 4)]),
        ("path,label", [f"{row},," for row in rows_of("ab" * 4)]),
        ("sep=;\npath;label", rows_of("ab" * 4, ";")),
        ("\n\npath,label", [f"{row}\n" for row in rows_of("ab" * 4)]),
        (' "Path", LABEL', [f'"{k}.png",{"ab"[k % 2]}' for k in range(N)]),
        ("path,label,label.1", [f"{row},x" for row in rows_of("ab" * 4)]),
        (",path,label", [f"{k},{row}" for k, row in enumerate(rows_of("ab" * 4))]),
    ],
)
def test_what_programs_put_around_it(folder, header, rows):
    assert names_of(opened(written(folder, rows, header))) == list("ab" * 4)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0,5", "1,25"], [0.5, 1.25]),
        (["1,000", "2,000"], ["1,000", "2,000"]),
        (["1,000", "0,5"], [1.0, 0.5]),
        (["0.5", ""], [0.5, np.nan]),
        (["3", "007"], [3, 7]),
        (["3", "NA"], [3.0, np.nan]),
        (["True", "false"], [True, False]),
        (["A1", "NA"], ["A1", "NA"]),
        (["1_000", "2"], ["1_000", "2"]),
    ],
)
def test_other_columns(folder, cells, values):
    rows = [f"{row};{cells[k % 2]}" for k, row in enumerate(rows_of("ab" * 4, ";"))]
    found = opened(written(folder, rows, "path;label;value")).columns["value"]
    expected = np.array(values * 4)
    assert found.dtype.kind == expected.dtype.kind
    assert_array_equal(found, expected)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(folder, end):
    text = end.join(["path,label", *rows_of("ab" * 4)])
    (folder / "t.csv").write_bytes(text.encode())
    assert names_of(opened(folder / "t.csv")) == list("ab" * 4)


@pytest.mark.parametrize("header", ["# made by hand", "<html>", "where,label"])
def test_a_header_that_names_no_images_is_shown(folder, header):
    with pytest.raises(DataError, match=f"no column 'path', only '{header[:5]}"):
        opened(written(folder, rows_of("ab" * 4), header))


def test_parts_may_be_numbers_as_in_arrays(folder):
    rows = [f"{row},{k % 3}" for k, row in enumerate(rows_of("ab" * 4))]
    dataset = opened(written(folder, rows, "path,label,split"))
    assert_array_equal(dataset.split, np.arange(N) % 3)


# Names of columns


@pytest.mark.parametrize(
    "path",
    ["filepath", "file_path", "image_path", "file_name", "filename", "Image", "img"],
)
@pytest.mark.parametrize("label", ["target", "category", "ground_truth", "Class Name"])
def test_columns_as_other_tools_name_them(folder, path, label):
    dataset = opened(written(folder, rows_of("ab" * 4), f"{path},{label}"))
    assert names_of(dataset) == list("ab" * 4)
    assert not dataset.columns


def test_what_is_a_truth_and_a_part(folder):
    rows = [
        f"{row},b,{'train' if k < 6 else 'Test'}"
        for k, row in enumerate(rows_of("ab" * 4))
    ]
    dataset = opened(written(folder, rows, "file,label,ground_truth,subset"))
    assert_array_equal(dataset.columns["truth"], [1] * N)
    assert_array_equal(np.bincount(dataset.split), [6, 0, 2])
    dataset = opened(
        written(folder, [f"{r},x" for r in rows], "file,label,truth,subset,set")
    )
    assert "set" in dataset.columns, "it names no parts"


# Paths


@pytest.mark.parametrize(
    "spelled",
    ["sub\\{k}.png", ".\\sub\\{k}.png", "./sub/{k}.png", "sub/../sub/{k}.png"],
)
def test_paths_of_other_systems(folder, spelled):
    (folder / "sub").mkdir()
    for k in range(N):
        (folder / f"{k}.png").rename(folder / "sub" / f"{k}.png")
    rows = [spelled.format(k=k) + f",{'ab'[k % 2]}" for k in range(N)]
    dataset = opened(written(folder, rows))
    assert [dataset.original(k)[0, 0] for k in range(N)] == list(range(N))


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_paths_in_the_other_form(folder, on_disk):
    (folder / "0.png").rename(folder / unicodedata.normalize(on_disk, "Käfer.png"))
    other = unicodedata.normalize({"NFC": "NFD", "NFD": "NFC"}[on_disk], "Käfer.png")
    dataset = opened(written(folder, [f"{other},a", *rows_of("ab" * 4)[1:]]))
    assert len(dataset) == N


def test_a_file_of_two_names_is_one_image(folder):
    (folder / "linked.png").symlink_to(folder / "0.png")
    os.link(folder / "1.png", folder / "hard.png")
    more = ["./0.png,a", "linked.png,a", "hard.png,b", f"{folder}/2.png,a"]
    dataset = opened(written(folder, [*rows_of("ab" * 4), *more]))
    assert len(dataset) == N
    assert [(s.name, s.reason) for s in dataset.skipped] == [
        ("row 9", "is the same image as in row 1"),
        ("row 10", "is the same image as in row 1"),
        ("row 11", "is the same image as in row 2"),
        ("row 12", "is the same image as in row 3"),
    ]
    contradicts = [*rows_of("ab" * 4), "linked.png,b"]
    with pytest.raises(DataError, match=r"more than one label for 0\.png, a and b"):
        opened(written(folder, contradicts))
    people = [f"{row},{who}" for who, row in zip("xxxxxxxxy", contradicts, strict=True)]
    dataset = opened(written(folder, people, "path,label,person"))
    assert_allclose(dataset.soft_labels[0], [0.5, 0.5])


# Broken cells


@pytest.mark.parametrize(
    ("row", "name", "reason"),
    [
        (f"{'x' * 300}.png,a", "row 9", "cannot be used (File name too long)"),
        ("a\0b.png,a", "row 9", "cannot be used"),
        (",a", "row 9", "has no path"),
        ("gone.png,a", "row 9", "the file gone.png is missing"),
        ("0.png,a,b,c", "row 9", "has 4 cells, but the table 2 columns"),
        ('"0.png"x,a', "row 9", "is broken"),
        (f"more.png,{'9' * 5000}", "more.png", "is no name of a class"),
    ],
)
def test_a_broken_cell_costs_its_row(folder, row, name, reason):
    Image.new("L", (28, 28)).save(folder / "more.png")
    dataset = opened(written(folder, [*rows_of("ab" * 4), row]))
    assert len(dataset) == N
    (skip,) = dataset.skipped
    assert skip.name == name
    assert reason in skip.reason
    assert len(skip.reason) < 200


def test_an_unknown_part_costs_its_row(folder):
    rows = [
        f"{row},{'train' if k else 'tset'}" for k, row in enumerate(rows_of("ab" * 4))
    ]
    dataset = opened(written(folder, rows, "path,label,split"))
    assert dataset.ids[0] == "1.png"
    assert dataset.skipped[0].reason.startswith("the split 'tset' is unknown")


def test_a_quotation_mark_that_is_never_closed_is_named(folder):
    rows = rows_of("ab" * 4)
    rows[3] = f'"{rows[3]}'
    with pytest.raises(DataError, match=r"mark in row 4 of t\.csv or below is never"):
        opened(written(folder, rows))


# Several files, or none


@pytest.fixture
def channels(folder):
    """Three TIFF files of each of eight images."""
    for k in range(N):
        for c in range(3):
            image = np.full((28, 28), 100 * c + k, np.uint16)
            tifffile.imwrite(folder / f"ch{c}_{k}.tif", image)
    return folder


def test_a_file_for_each_channel(channels):
    rows = [
        ",".join(f"ch{c}_{k}.tif" for c in (1, 0, 2)) + f",{'ab'[k % 2]}"
        for k in range(N)
    ]
    path = written(channels, rows, "path_2,path_1,path_10,label")
    dataset = opened(path)
    assert dataset.n_channels == 3
    assert dataset.original(5)[0, 0].tolist() == [5, 105, 205]
    assert not dataset.columns
    with pytest.raises(DataError, match="there is nothing to add"):
        run_job(OpenDataset(path, like=dataset))
    again = pickle.loads(pickle.dumps(dataset))
    spec = json.loads(json.dumps(spec_of(dataset.pixels, channels)))
    found = pixels_from_spec(spec, channels)
    assert_array_equal(found.read(3), again.original(3))
    assert found.key() == dataset.pixels.key()


def test_cellprofiler(channels):
    header = (
        "ImageNumber,Image_FileName_DNA,Image_PathName_DNA,Image_FileName_Actin,"
        "Image_PathName_Actin,Metadata_Well,label"
    )
    rows = [
        f"{k},ch0_{k}.tif,{channels},ch2_{k}.tif,{channels},B0{k},{'ab'[k % 2]}"
        for k in range(N)
    ]
    dataset = opened(written(channels, rows, header))
    assert dataset.original(4)[0, 0].tolist() == [4, 204]
    assert set(dataset.columns) == {"ImageNumber", "Metadata_Well"}


def test_channels_that_do_not_fit_cost_their_image(channels):
    tifffile.imwrite(channels / "ch1_2.tif", np.zeros((30, 28), np.uint16))
    (channels / "ch1_3.tif").unlink()
    rows = [f"ch0_{k}.tif,ch1_{k}.tif,{'ab'[k % 2]}" for k in range(N)]
    dataset = opened(written(channels, rows, "path_1,path_2,label"))
    assert len(dataset) == N - 2
    assert dataset.skipped[0].reason == "the file ch1_3.tif is missing"
    assert "of one size" in dataset.skipped[1].reason


def encoded(image, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def packed(tmp_path):
    """A Parquet file as of Hugging Face, in groups of three rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [np.full((28, 28), k, np.uint8) for k in range(N)]
    table = pa.table(
        {
            "image": [
                {"bytes": encoded(i), "path": f"{k}.png"} for k, i in enumerate(images)
            ],
            "label": [k % 2 if k < 7 else -1 for k in range(N)],
            "dose": [k / 2 for k in range(N)],
        }
    )
    about = {
        "info": {
            "features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
        }
    }
    table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, tmp_path / "hf.parquet", row_group_size=3)
    return tmp_path / "hf.parquet"


def test_images_in_a_parquet_file(packed):
    dataset = opened(packed)
    assert [dataset.original(k)[0, 0] for k in (7, 0, 4)] == [7, 0, 4]
    assert dataset.ids[5] == "5.png"
    assert names_of(dataset) == ["cat", "dog"] * 3 + ["cat", None]
    assert_array_equal(dataset.columns["dose"], np.arange(N) / 2)
    with pytest.raises(DataError, match="there is nothing to add"):
        run_job(OpenDataset(packed, like=dataset))
    again = pickle.loads(pickle.dumps(dataset.subset([6, 1])))
    spec = json.loads(json.dumps(spec_of(again.pixels, packed.parent)))
    assert pixels_from_spec(spec, packed.parent).read(0)[0, 0] == 6


def test_colours_bytes_and_broken_images_in_a_parquet_file(tmp_path):
    files = [encoded(np.full((28, 28, 3), k, np.uint8), "JPEG") for k in range(N)]
    files[0] = encoded(np.zeros((28, 28), np.uint8))
    files[1], files[2] = None, b"no image"
    pd.DataFrame({"image": files, "label": ["a", "b"] * 4}).to_parquet(
        tmp_path / "t.parquet"
    )
    dataset = opened(tmp_path / "t.parquet")
    assert dataset.n_channels == 3
    assert dataset.images(range(6)).shape == (6, 3, 28, 28)
    assert [skip.name for skip in dataset.skipped] == ["2", "3"]
    assert "holds no image" in dataset.skipped[0].reason


@pytest.fixture
def sheets():
    """Write sheets of rows of cells, as Excel would."""
    openpyxl = pytest.importorskip("openpyxl")

    def write(path, **sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        book.save(path)
        return path

    return write


def test_a_table_of_excel(folder, sheets):
    rows = [
        ["Plate 3, second run"],
        [],
        ["File name", "Class", "area", "when", None],
        *([f"{k}.png", k % 2, k + 0.5, "x"] for k in range(N - 1)),
        ["7.png", "  ", None, "y", None],
    ]
    path = sheets(folder / "t.xlsx", notes=[["nothing here"]], images=rows, more=rows)
    dataset = opened(path)
    assert dataset.ids.tolist() == [f"{k}.png" for k in range(N)]
    assert names_of(dataset) == [*(str(k % 2) for k in range(N - 1)), None]
    assert_array_equal(dataset.columns["area"][:3], [0.5, 1.5, 2.5])
    said = " ".join(dataset.notes)
    assert "The sheet 'images' of t.xlsx was read, and none of the others." in said
    assert "The row above the names of the columns of t.xlsx left out." in said


def test_a_table_of_excel_without_its_reader_is_refused(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (folder / "t.xlsx").write_bytes(b"PK\3\4")
    with pytest.raises(
        DataError, match=r"is a table of Excel: save it as CSV, .*excel"
    ):
        opened(folder / "t.xlsx")


def test_titles_above_the_names_of_the_columns(folder):
    rows = rows_of("abababab")
    path = written(folder, ["", "# by hand", "path,label", *rows], header="Plate 3")
    dataset = opened(path)
    assert names_of(dataset) == [*"abababab"]
    assert "2 rows above the names" in " ".join(dataset.notes)


def test_a_name_of_a_column_may_have_lines(folder):
    rows = [f'{k}.png,"a\nb"' if k % 2 else f"{k}.png,c" for k in range(N)]
    dataset = opened(written(folder, rows, header='path,"label\nof both",label'))
    assert len(dataset) == N


def test_rows_that_are_all_broken_are_told(folder):
    rows = [f'{k}.png,"a \\"quoted\\" b"' for k in range(N)]
    with pytest.raises(DataError, match=r"no rows that can be used; row 1 is broken"):
        opened(written(folder, rows))


def test_names_may_be_written_as_in_addresses(folder):
    (folder / "0.png").rename(folder / "my käfer.png")
    path = written(folder, ["my%20k%C3%A4fer.png,a", *rows_of("babababa")[1:]])
    assert len(opened(path)) == N


def test_an_index_of_parquet_is_columns(folder):
    table = pd.DataFrame({"path": [f"{k}.png" for k in range(N)], "label": [*"ab"] * 4})
    table.set_index(["path", "label"]).to_parquet(folder / "t.parquet")
    assert names_of(opened(folder / "t.parquet")) == [*"ab"] * 4


def test_a_table_without_columns_is_refused(folder):
    pd.DataFrame(index=range(N)).to_parquet(folder / "t.parquet")
    with pytest.raises(DataError, match="has no rows"):
        opened(folder / "t.parquet")
