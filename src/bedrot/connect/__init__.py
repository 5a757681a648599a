"""What connectors share: how they are let in, how they ask, and how they tell that something is wrong."""

from bedrot.config import without_traces

without_traces()  # here, since the program that drives a browser looks for them when it is imported
