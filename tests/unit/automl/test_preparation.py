"""Imports beside the search: one thread makes them, the main thread waits for it."""

import threading

import pytest

from bikecast.embedded.automl import preparation
from bikecast.embedded.automl.preparation import Preparation


@pytest.fixture
def steps(monkeypatch):
    """What was done in which order; the store waits until `release` is set."""
    done, release = [], threading.Event()

    def store(_):
        release.wait(10)
        done.append("store")

    monkeypatch.setattr(preparation, "_import_exporters", lambda: done.append("exporters"))
    monkeypatch.setattr(preparation, "_prepare_tracking", store)
    return done, release


def test_the_export_is_ready_before_the_store_is_prepared(steps):
    done, release = steps
    prepared = Preparation("sqlite:////somewhere/mlflow.db")
    prepared.wait_for_exporters()
    assert done == ["exporters"]
    release.set()
    prepared.wait_for_tracking()


def test_the_main_thread_goes_on_to_mlflow_only_when_its_store_is_prepared(steps):
    done, release = steps
    prepared = Preparation("sqlite:////somewhere/mlflow.db")
    threading.Timer(0.05, release.set).start()
    prepared.wait_for_tracking()
    assert done == ["exporters", "store"]


def test_a_job_without_tracking_prepares_no_store(steps):
    done, _ = steps
    Preparation("").wait_for_tracking()
    assert done == ["exporters"]


def test_an_import_that_fails_keeps_nobody_waiting(steps, monkeypatch):
    def broken():
        raise ImportError("no such library")

    monkeypatch.setattr(preparation, "_import_exporters", broken)
    Preparation("").wait_for_exporters()
