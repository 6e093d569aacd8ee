"""The notebooks `explore` and `train` in azure: cells on the pool, the training in Azure ML."""

import threading

from tests.notebooks import check_both, executed


def test_both_notebooks_run_in_azure_and_the_session_is_stopped(user, tmp_path):
    """One kernel for both, as its imports cost most."""
    ended = threading.Event()

    def let_minutes_pass():
        while not ended.wait(0.3):
            user.clock.advance(60)

    threading.Thread(target=let_minutes_pass, daemon=True).start()
    try:
        outputs = executed(tmp_path, ["explore", "train"])
    finally:
        ended.set()

    check_both(outputs)
    assert "was stopped" in outputs["spark.stop"]
    assert [len(user.livy_sessions.sessions), user.livy_sessions.live()] == [1, []]
    assert "https://ml.azure.com/runs/rental-prediction-model" in outputs["training.link"]
    assert "rental-prediction-model" in outputs["training.register"]
    assert len(user.livy.batches) == 1
