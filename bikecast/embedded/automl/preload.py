"""What every worker needs, imported once in the fork server.

The first statement ties the fork server's life to the driver's, before any slow import.
"""

from __future__ import annotations

from bikecast.core.processes import die_with_parent

die_with_parent()

import lightgbm  # noqa: E402, F401
import sklearn.ensemble  # noqa: E402
import sklearn.gaussian_process  # noqa: E402
import sklearn.linear_model  # noqa: E402
import sklearn.neural_network  # noqa: E402
import sklearn.svm  # noqa: E402, F401

import bikecast.embedded.automl.models  # noqa: E402, F401
