"""One SQL file a business table."""
