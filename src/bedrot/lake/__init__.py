"""Where bytes and facts live."""
