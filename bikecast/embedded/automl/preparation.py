"""What the end of a job needs, imported and made while the workers train."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger("bikecast.automl")


class Preparation:
    """Imports of the export, then MLflow and its store, in one thread beside the search.

    Two threads that import the same packages at the same moment may each see a module of the
    other's half done. So there is one such thread, it begins when the main thread has what it
    needs, and the main thread waits for it before it uses any of this.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri
        self._exporters = threading.Event()
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def wait_for_exporters(self) -> None:
        """Return once fitted models can be loaded, exported and drawn."""
        self._exporters.wait()

    def wait_for_tracking(self) -> None:
        """Return once MLflow and its store are there, or could not be made."""
        self._thread.join()

    def _prepare(self) -> None:
        try:
            _import_exporters()
        except Exception:
            log.exception("the export could not be prepared")  # the main thread meets it again
        finally:
            self._exporters.set()
        if self._tracking_uri:
            try:
                _prepare_tracking(self._tracking_uri)
            except Exception:
                log.exception("the MLflow store could not be prepared")


def _import_exporters() -> None:
    import lightgbm  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import onnxruntime  # noqa: F401

    import bikecast.embedded.automl.export.parity  # noqa: F401


def _prepare_tracking(tracking_uri: str) -> None:
    from bikecast.embedded.mlflow import prepare_store

    prepare_store(tracking_uri)
    import mlflow.tracking  # noqa: F401
