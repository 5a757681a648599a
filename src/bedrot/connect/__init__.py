"""What connectors share: how they are let in, how they ask, and how they tell that something is wrong."""
