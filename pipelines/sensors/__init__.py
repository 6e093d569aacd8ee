"""The sensors: long jobs, new files and days, checks, alerts and cancelled runs."""
