"""`bikecast azure`: from an empty subscription to a working environment, and back."""
