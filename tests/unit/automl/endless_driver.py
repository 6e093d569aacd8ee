"""Stands in for a driver that a busy machine has not let begin: it records nothing."""

import time

while True:
    time.sleep(60)
