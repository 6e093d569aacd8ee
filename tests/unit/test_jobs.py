from hypothesis import given
from hypothesis import strategies as st

from bikecast.core.jobs import JobState, JobStatus, current_attempt, job_base_name


def statuses(*states: JobState):
    """A status function for jobs base-1, base-2, ... with these states."""
    known = {f"base-{number}": state for number, state in enumerate(states, start=1)}
    return lambda job_id: JobStatus(job_id, known.get(job_id, JobState.NOT_FOUND))


def test_equal_identities_give_equal_names():
    first = job_base_name("m", data="d", settings={"a": 1, "b": 2})
    assert first == job_base_name("m", settings={"b": 2, "a": 1}, data="d")


@given(st.text(), st.text())
def test_different_data_versions_give_different_names(one: str, other: str):
    names = {job_base_name("m", data=one), job_base_name("m", data=other)}
    assert len(names) == len({one, other})


def test_the_first_attempt_is_number_one():
    attempt = current_attempt("base", statuses())
    assert (attempt.job_id, attempt.number, attempt.status) == ("base-1", 1, None)


def test_a_queued_running_or_completed_attempt_is_joined():
    for state in (JobState.QUEUED, JobState.RUNNING, JobState.COMPLETED):
        attempt = current_attempt("base", statuses(JobState.FAILED, state))
        assert attempt.job_id == "base-2"
        assert attempt.status is not None


def test_the_attempt_number_rises_after_a_failed_or_cancelled_one():
    for state in (JobState.FAILED, JobState.CANCELED):
        attempt = current_attempt("base", statuses(state))
        assert (attempt.job_id, attempt.status) == ("base-2", None)


def test_retrain_starts_another_attempt_after_a_completed_one():
    attempt = current_attempt("base", statuses(JobState.COMPLETED), retrain=True)
    assert (attempt.job_id, attempt.status) == ("base-2", None)


def test_retrain_joins_an_attempt_that_still_runs():
    attempt = current_attempt("base", statuses(JobState.RUNNING), retrain=True)
    assert attempt.job_id == "base-1"
    assert attempt.status is not None


def test_only_queued_and_running_are_not_terminal():
    assert {state for state in JobState if not state.is_terminal} == {
        JobState.QUEUED,
        JobState.RUNNING,
    }
