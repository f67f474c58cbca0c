"""What every flow of every family must stand."""
