"""Identical lines of a file are taken for one."""

from __future__ import annotations

from bedrot import sql
from bedrot.walk import stage
from bedrot.walk.judge import Judged

_good = stage.good_sql


def good(job: Judged) -> str:
    """Each content once."""
    content = sql.names(one.name for one in job.table.fields)
    return f"SELECT DISTINCT ON ({content}) * FROM ({_good(job)}) ORDER BY ALL"


stage.good_sql = good
