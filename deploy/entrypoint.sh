#!/bin/sh
# Places dagster.yaml in BIKECAST_HOME, points Dagster there, then becomes the command.
set -eu
exports=$(bikecast env)
eval "$exports"
exec "$@"
