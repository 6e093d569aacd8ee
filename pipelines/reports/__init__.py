"""What people read of a home: health, plans and the way of one prediction."""
