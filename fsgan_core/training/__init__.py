"""Training as one visible loop; one file per task."""
