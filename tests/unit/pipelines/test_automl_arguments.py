"""`bikecast automl` refuses what it cannot train before it makes anything."""

import re

import pytest


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "houses.csv"
    rows = (f"{40 + n},{n % 5},{'north' if n % 2 else 'south'},{1000 * n}\n" for n in range(60))
    path.write_text("living area,rooms,town,price\n" + "".join(rows))
    return path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--target", "cost"), "no column 'cost'"),
        (("--target", "town"), "only numbers can be predicted"),
        (("--target", "price", "--metric", "accuracy"), "'accuracy' is not one of"),
        (("--target", "price", "--allow", "Magic"), "unknown algorithms Magic"),
        (("--target", "price", "--budget", "0"), "must be above 0"),
        (("--target", "price", "--features", "rooms,area"), "no column 'area'"),
        (("--target", "price", "--type", "rooms=colour"), "the types are number, date"),
    ],
)
def test_a_wrong_argument_ends_with_code_2_and_leaves_nothing(
    bikecast, houses, tmp_path, arguments, reason
):
    code, _, error = bikecast("automl", "--csv", houses, *arguments, "-o", tmp_path / "out")
    assert code == 2, error
    assert reason in re.sub(r"\s+", " ", error)
    assert not (tmp_path / "out").exists()
