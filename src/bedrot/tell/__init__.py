"""What people ask of a lake: why, diff, status, verify, export."""
