"""`python -m pipelines` is `bikecast`."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
