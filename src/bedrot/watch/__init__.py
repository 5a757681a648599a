"""What watches over a lake that nobody looks at for years."""
