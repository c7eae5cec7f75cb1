"""Tables in files, for this program and for others."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, ClassVar

from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import SessionError, reason_of
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.session.export.results import Results

if TYPE_CHECKING:
    import pandas as pd

Steps = Generator[Progress, None, None]
_ROWS = 5_000


@dataclass(frozen=True)
class Exported:
    """What has been written."""

    path: Path
    said: str


@dataclass(frozen=True, eq=False)
class ExportTable:
    """Job: write a table.

    Parameters
    ----------
    path : Path
        Of the table; its ending, one of `WRITERS`, says of which kind.
    """

    results: Results
    path: Path
    name: ClassVar[str] = "Export a table"

    def run(self) -> Generator[Progress, None, Exported]:
        """Write it.

        Raises
        ------
        SessionError
            If it cannot be written; what was in its place is as it was.
        """
        results, path = self.results, self.path
        n_images = len(results.columns["id"])
        yield Progress(0, n_images, "Writing the table")
        with writing(path):
            yield from WRITERS[path.suffix.lower()](results, path)
        without = sum(file is None for file in results.files)
        where = ""
        if without:
            which = "They" if without == n_images else f"{without:,} of them"
            where = (
                f" {which} lie in no files of their own: to have files, export class "
                "folders."
            )
        return Exported(path, f"Wrote {n_images:,} images to {path}.{where}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors in writing a file or folder into words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or reason_of(error)
        raise SessionError(
            f"{path} could not be written ({reason}): choose another place."
        ) from error


def _write_text(separator: str) -> Callable[[Results, Path], Steps]:
    """Return what writes a table as text, in blocks."""

    def write(results: Results, path: Path) -> Steps:
        table = results.frame(path.parent)
        with TemporaryFile() as unfinished:
            for start in range(0, len(table), _ROWS):
                block = table.iloc[start : start + _ROWS]
                text = block.to_csv(
                    sep=separator, index=False, header=not start, lineterminator="\n"
                )
                unfinished.write(text.encode())
                yield Progress(start + len(block), len(table), "Writing the table")
            unfinished.seek(0)
            write_file(path, lambda file: shutil.copyfileobj(unfinished, file))

    return write


def _write_parquet(results: Results, path: Path) -> Steps:
    table = results.frame(path.parent)
    yield Progress(0, 1, "Writing the table")

    def write(file: IO[bytes]) -> None:
        table.to_parquet(file, index=False)

    write_file(path, write)


def _write_h5ad(results: Results, path: Path) -> Steps:
    """Write what single-cell tools read: the map and the latents stand in `obsm`."""
    try:
        import anndata
    except ImportError as error:
        raise SessionError(
            "A .h5ad file needs anndata: install it with "
            '`pip install "napari-spaceediting[anndata]"`, or export a .parquet file.'
        ) from error
    yield Progress(0, 1, "Writing the table")
    table = results.frame(path.parent, with_latents=False).set_index("id")
    made = anndata.AnnData(obs=_plain(table))
    if "map_x" in table:
        made.obsm["X_map"] = table[["map_x", "map_y"]].to_numpy()
    if results.latents is not None:
        made.obsm["X_latent"] = results.latents
    unfinished = path.with_name(f"{secrets.token_hex(8)}.part")
    try:
        made.write_h5ad(unfinished)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the slashes that HDF5 takes for folders."""
    return table.rename(columns=lambda name: str(name).replace("/", "_"))


WRITERS: dict[str, Callable[[Results, Path], Steps]] = {
    ".csv": _write_text(","),
    ".tsv": _write_text("\t"),
    ".parquet": _write_parquet,
    ".h5ad": _write_h5ad,
}
"""What writes a table, by the ending of its file."""
