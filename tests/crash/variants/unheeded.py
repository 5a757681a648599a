"""Nobody looks after signals: Ctrl-C ends wherever the libraries let it, in silence or as a mistake of the program."""

from __future__ import annotations

from contextlib import nullcontext

from bedrot import cli

cli.Stoppable = nullcontext
