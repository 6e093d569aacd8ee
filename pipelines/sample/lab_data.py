"""Microsoft's own lab files: downloaded on request, checked, never shipped.

They belong to the Microsoft Learning lab "Use Azure Machine Learning with Azure Synapse
Analytics" (repository MicrosoftLearning/mslearn-synapse, MIT licence).
"""

from __future__ import annotations

from pathlib import Path

from bikecast.core.errors import BikecastError
from bikecast.core.files import file_digest, replaced_file

DEFAULT_URL = (
    "https://raw.githubusercontent.com/MicrosoftLearning/mslearn-synapse/master"
    "/Allfiles/Labs/12/files"
)
TRAINING_FILE = "bike-rentals-training.csv"
FORECAST_FILE = "weather-forecast.csv"
#: SHA-256 of each file, in hex.
LAB_FILES = {
    TRAINING_FILE: "6352e71d36c6c5860c7e120fec48216df0f50d12bfd37e546d44ad0b9ff00730",
    FORECAST_FILE: "d17fbab7ae0e10d6738afec8126efe60a5b9607ac6e60e7ff429576f80d0cd7d",
}
_MAX_BYTES = 10 << 20


def fetch_lab_data(out_dir: Path, base_url: str = DEFAULT_URL) -> tuple[Path, Path]:
    """Download the two lab files into `out_dir`; returns training file and forecast file.

    A file that is already there with the right content is not downloaded again. Each file is
    checked against its SHA-256 and put in place whole, or not at all.
    Raises BikecastError where a download fails or a file is not the known one.
    """
    from bikecast.core.urls import public_url
    from resources.lake.download import download

    paths = []
    for name, digest in LAB_FILES.items():
        target = out_dir / name
        url = f"{base_url.rstrip('/')}/{name}"
        if not is_lab_file(target):
            with replaced_file(target) as temporary:
                download(url, temporary, max_bytes=_MAX_BYTES)
                actual = file_digest(temporary)
                if actual != digest:
                    kept = "is unchanged" if target.exists() else "was not written"
                    raise BikecastError(
                        f"{public_url(url)} is not the known file: its sha256 is {actual}, "
                        f"expected {digest}. {target} {kept}. The file may have been revised: "
                        "download it yourself, look at it, then pass it by path."
                    )
        paths.append(target)
    training, forecast = paths
    return training, forecast


def is_lab_file(path: Path) -> bool:
    """Whether this is the known content of the lab file of that name."""
    return path.is_file() and file_digest(path) == LAB_FILES[path.name]
