"""One folder a service; what is there is found."""
