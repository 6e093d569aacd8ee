"""The one ModelSpec of this project: bike rentals, by the names of Microsoft's lab."""

from __future__ import annotations

from bikecast.core.spec import Column, ModelSpec, Schedules, TrainingSettings
from pipelines.sample.simulator import SAMPLE_FORECAST, SAMPLE_TRAINING

_YES_NO = (0, 1)

BIKE_RENTALS = ModelSpec(
    name="bike_rentals",
    prefix="",
    model_name="rental-prediction-model",
    description="Rentals of a day by casual riders, from the calendar and the weather.",
    features=(
        Column("season", "bigint", "Season: 1 winter to 4 autumn", codes=(1, 2, 3, 4)),
        Column("mnth", "bigint", "Month, 1 to 12", codes=tuple(range(1, 13))),
        Column("holiday", "bigint", "1 on a public holiday", codes=_YES_NO),
        Column("weekday", "bigint", "Day of the week, 0 = Sunday", codes=tuple(range(7))),
        Column("workingday", "bigint", "1 if neither weekend nor holiday", codes=_YES_NO),
        Column("weathersit", "bigint", "1 clear, 2 mist, 3 light, 4 heavy", codes=(1, 2, 3, 4)),
        Column("temp", "real", "Temperature, scaled to about 0-1", minimum=-1, maximum=2),
        Column("atemp", "real", "Felt temperature, scaled", minimum=-1, maximum=2),
        Column("hum", "real", "Humidity, scaled", minimum=0, maximum=1.5, suspicious=(0,)),
        Column("windspeed", "real", "Wind speed, scaled", minimum=0, maximum=2),
    ),
    target=Column("rentals", "bigint", "Rentals of the day", minimum=0),
    keys=(Column("dteday", "date", "The day", date_format="%m/%d/%Y"),),
    ignored=("instant", "yr"),
    training=TrainingSettings(experiment="mslearn-bike-rentals"),
    source_asset="raw_bike_rentals",
    source_file="data/bike-rentals-training.csv",
    training_table="bike_data",
    run_asset="automl_run",
    model_table="rental_prediction_model",
    scoring_file="data/weather-forecast.csv",
    scoring_table="weather_forecast",
    procedure="predict_rentals",
    predictions_table="predicted_rentals",
    schedules=Schedules(retrain_name="weekly_retraining", score_name="daily_scoring"),
    time_key="dteday",
    first_day="2011-01-01",
    segments=("weathersit", "workingday"),
    shown=("weekday", "workingday", "weathersit", "temp"),
    owners=("team:data-engineering",),
    data_licence="The lab's file derives from the Bike Sharing Dataset (H. Fanaee-T and J. Gama, "
    "2013, UCI Machine Learning Repository, CC BY 4.0), made of Capital Bikeshare's trip data. "
    "The built-in sample is simulated and holds no row of it; it is Apache-2.0, like the code. "
    "Which of them, or which file of yours, was used: `source`, at the end of the model card",
    labels={
        "season": {1: "winter", 2: "spring", 3: "summer", 4: "autumn"},
        "weekday": dict(enumerate(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"))),
        "weathersit": {1: "clear", 2: "mist", 3: "light rain or snow", 4: "heavy rain or snow"},
    },
)

#: What the lake gets where no file is given.
SAMPLES = {
    BIKE_RENTALS.source_file: SAMPLE_TRAINING,
    BIKE_RENTALS.scoring_file: SAMPLE_FORECAST,
}
