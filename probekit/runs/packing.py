"""A run as one small file: what the figures and the rules read, without the pooled vectors.

A packed run is a zip archive of a run folder, with the ablation that was saved beside it. Its
manifest says what was left out and how numbers were stored, and carries new checksums, so an
unpacked run opens like any other. Costs one read of the results; the demo run shrinks from 100 MB
to under five.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from probekit.errors import RunError
from probekit.runs.manifest import NAME, hash_files
from probekit.runs.run import Run, open_run
from probekit.runs.writer import RESULTS, write_results

if TYPE_CHECKING:
    import os

    import xarray as xr

#: Groups that no figure needs and that make up nearly all of a run.
LEFT_OUT = ("pooled",)
#: Arrays of at least this many numbers keep ``MANTISSA_BITS``, which errs by one part in two
#: thousand at most; smaller ones keep single precision.
LARGE = 20_000
MANTISSA_BITS = 10
#: What may lie beside the results of a run; it is no part of the run's own record.
BESIDE = ("ablation.json",)
#: Where packing is told in a manifest's estimators.
PACKED = "packed"
#: The oldest date that zip can tell: equal runs make equal files.
EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(run: Run, path: str | os.PathLike[str], *, pooled: bool = False) -> Path:
    """Write a run as one zip file to send or to keep in a repository.

    Parameters
    ----------
    run
        A finished run.
    path
        The file to write; it must not exist.
    pooled
        Keep the pooled vectors, in single precision (most of the size); without them a run
        cannot be measured again.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    RunError
        The file exists.
    """
    target = Path(path)
    if target.exists():
        msg = f"path must be a new file. {str(target)!r} exists; remove it or give another name."
        raise RunError(msg)
    with tempfile.TemporaryDirectory(prefix="probekit-pack-") as scratch:
        folder = Path(scratch) / "run"
        folder.mkdir()
        _write_light(run, folder, left_out=() if pooled else LEFT_OUT)
        partial = target.with_name(f".{target.name}.partial")
        _zip(folder, partial)
        partial.replace(target)
    return target


def unpack(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Run:
    """Unpack a packed run into a new folder and open it.

    Parameters
    ----------
    path
        A file made by :func:`pack`.
    folder
        Where to; it must not exist. It appears whole or not at all.

    Raises
    ------
    RunError
        No such file, no packed run, an altered one, or a folder that exists.
    """
    source, target = Path(path), Path(folder)
    if target.exists():
        msg = f"folder must be new. {str(target)!r} exists; remove it or give another name."
        raise RunError(msg)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _extract(source, partial)
        open_run(partial)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_run(target, verify=False)


def _write_light(run: Run, folder: Path, *, left_out: tuple[str, ...]) -> None:
    from numcodecs import Blosc

    groups = {
        str(name): _lighten(run.group(str(name)))
        for name in run.results.children
        if name not in left_out
    }
    write_results(folder, groups, compressor=Blosc("zstd", clevel=9, shuffle=Blosc.BITSHUFFLE))
    for name in ("study.yaml", "identity.json"):
        if (run.folder / name).is_file():
            shutil.copy2(run.folder / name, folder / name)
    gone = [name for name in left_out if name in run.results.children]
    told: dict[str, Any] = {
        "left_out": gone,
        "floats": "float32",
        "large_arrays": {"at_least": LARGE, "mantissa_bits": MANTISSA_BITS},
    }
    estimators = {**run.manifest.estimators, PACKED: told}
    manifest = replace(run.manifest, estimators=estimators, files=hash_files(folder))
    (folder / NAME).write_text(manifest.to_json(), encoding="utf-8")
    for name in BESIDE:  # after the checksums: the analysis may be saved anew
        if (run.folder / name).is_file():
            shutil.copy2(run.folder / name, folder / name)


def _lighten(group: xr.Dataset) -> xr.Dataset:
    """Single precision, rounded where large."""
    import numpy as np

    light = group.load().copy()
    for name, array in light.data_vars.items():
        if array.dtype.kind == "f":
            values = array.to_numpy().astype(np.float32)
            values = _rounded(values) if values.size >= LARGE else values
            light[name] = (array.dims, values, array.attrs)
    return light.drop_encoding()


def _rounded(values: Any) -> Any:
    """To ``MANTISSA_BITS``, to nearest; what is not finite stays as it is."""
    import numpy as np

    kept = 23 - MANTISSA_BITS
    bits = values.view(np.uint32)
    half = np.uint32((1 << (kept - 1)) - 1) + ((bits >> np.uint32(kept)) & np.uint32(1))
    rounded = ((bits + half) & ~np.uint32((1 << kept) - 1)).view(np.float32)
    return np.where(np.isfinite(values), rounded, values)


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), date_time=EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())


def _extract(source: Path, folder: Path) -> None:
    """Only plain files below the folder, and only those of a run."""
    try:
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                parts = PurePosixPath(entry.filename).parts
                if entry.is_dir():
                    continue
                if not parts or ".." in parts or parts[0] not in {
                    NAME, "study.yaml", "identity.json", RESULTS, *BESIDE
                }:  # fmt: skip
                    reason = f"it holds {entry.filename[:80]!r}"
                    raise RunError(_not_packed(source, reason))
                place = folder.joinpath(*parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(entry))
    except (OSError, zipfile.BadZipFile) as error:
        raise RunError(_not_packed(source, str(error))) from error


def _not_packed(source: Path, reason: str) -> str:
    return (
        f"path must be a run packed by 'probekit pack'. {str(source)!r} is not ({reason}); pack "
        "the run again."
    )
