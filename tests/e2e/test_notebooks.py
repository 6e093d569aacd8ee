"""The notebooks `explore` and `train`, executed from an empty home."""

from tests.notebooks import check_both, executed


def test_both_notebooks_run_from_an_empty_home_in_the_order_of_their_cells(tmp_path, monkeypatch):
    """In one kernel, whose imports cost most; with one model tried, as they are about the steps."""
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BIKECAST_MAX_TRIALS", "1")

    outputs = executed(tmp_path, ["explore", "train"])

    check_both(outputs)
    assert "spearman_correlation" in outputs["training.configuration"]
    assert "bike_data: 731 rows" in outputs["training.data"]
    assert "holdout_spearman" in outputs["training.register"]
    assert not any("Warning" in text for text in outputs.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "notebook.ipynb"]
