"""A second, unrelated model: coffee sales, with a text feature and without keys or time."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from bikecast.core.spec import Column, ModelSpec, TrainingSettings

DRINKS = ("americano", "cappuccino", "espresso", "flat white")

COFFEE_SALES = ModelSpec(
    name="coffee",
    model_name="coffee-sales-model",
    description="Cups of a drink that a shop sells in an hour.",
    features=(
        Column("drink", "varchar", "What is sold", codes=DRINKS, length=20),
        Column("price", "float", "Price of a cup, in euros", minimum=0, maximum=20),
        Column("seats", "int", "Seats in the shop", minimum=0, suspicious=(999,)),
        Column("outdoor_temp", "real", "Temperature outside, in degrees Celsius"),
    ),
    target=Column("cups", "bigint", "Cups sold in the hour", minimum=0),
    keys=(),
    training=TrainingSettings(experiment="coffee-sales"),
    source_asset="raw_coffee_sales",
    source_file="data/coffee-sales.csv",
    training_table="coffee_sales",
    run_asset="coffee_automl_run",
    model_table="coffee_sales_model",
    scoring_file="data/coffee-offers.csv",
    scoring_table="coffee_offers",
    procedure="predict_cups",
    predictions_table="predicted_cups",
    suspicious_treatment="impute",
    segments=("drink",),
)

_POPULARITY = {"americano": 20, "cappuccino": 34, "espresso": 14, "flat white": 26}


@dataclass(frozen=True)
class CoffeeFiles:
    """The two CSV files of the model."""

    training: Path
    scoring: Path


def write_coffee_files(folder: Path, *, rows: int = 240, scoring_rows: int = 6) -> CoffeeFiles:
    """Write both files; the same arguments give the same bytes. No two rows are equal."""
    random_source = random.Random(7)
    files = CoffeeFiles(folder / "coffee-sales.csv", folder / "coffee-offers.csv")
    folder.mkdir(parents=True, exist_ok=True)
    names = [feature.name for feature in COFFEE_SALES.features]
    training = [_row(random_source) for _ in range(rows)]
    _write(files.training, [*names, COFFEE_SALES.target.name], training)
    _write(files.scoring, names, [_row(random_source)[:-1] for _ in range(scoring_rows)])
    return files


def _row(random_source: random.Random) -> list[object]:
    drink = random_source.choice(DRINKS)
    price = round(random_source.uniform(1.5, 6.0), 2)
    seats = random_source.randint(4, 60)
    temp = round(random_source.uniform(-8.0, 34.0), 1)
    expected = _POPULARITY[drink] - 4.0 * price + 0.3 * seats - 0.2 * temp
    return [drink, price, seats, temp, max(0, round(expected + random_source.gauss(0, 1.5)))]


def _write(path: Path, names: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
