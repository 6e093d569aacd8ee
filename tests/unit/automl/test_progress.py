"""The progress that a job reports while it searches."""

import pytest

from bikecast.embedded.automl.driver import Reporter
from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.trials import Trial


@pytest.mark.parametrize(
    ("status", "error"), [("skipped", ""), ("pending", ""), ("failed", "stopped: out of time")]
)
def test_a_trial_that_the_time_did_not_suffice_for_does_not_count_as_done(tmp_path, status, error):
    record = JobRecord(tmp_path)
    reporter = Reporter(record, 0.0, 10.0)
    tried = Trial(Configuration("a", "ridge", "all", "none"), "ok", mean=0.9)
    reporter.trials([tried, Trial(Configuration("b", "svr", "all", "none"), status, error=error)])
    reporter.write()
    assert (record.progress()["trials_done"], record.progress()["trials_total"]) == (1, 2)
