"""The main file of a Livy batch: arguments are the URLs of job, CSV, table and result."""

import sys

from pyspark.sql import SparkSession

from resources.spark.batch import run

if __name__ == "__main__":
    sys.exit(run(SparkSession.builder.getOrCreate(), *sys.argv[1:5]) or None)
