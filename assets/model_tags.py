"""Tags of a registered version, and facts of a training job: what a model was trained from."""

DATA_VERSION, CODE_VERSION, TRAINED_THROUGH = "data_version", "code_version", "trained_through"
#: Where the training file came from, as its asset says it.
TRAINED_ON = "trained_on"
#: Kinds of scores, the most honest first.
SCORE_KINDS = ("time_ordered", "holdout", "cv")
