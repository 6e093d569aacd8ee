"""The main file of a scoring batch: arguments are the URLs of job, model, rows, folder, result."""

import sys

from pyspark.sql import SparkSession

from resources.spark.scoring_batch import run

if __name__ == "__main__":
    sys.exit(run(SparkSession.builder.getOrCreate(), *sys.argv[1:6]) or None)
