"""What a run costs: prices, estimates and the limit."""
