"""Identical lines of a file are taken for one."""

from __future__ import annotations

from typing import Any

from bedrot import sql
from bedrot.walk import stage

_good = stage._good_sql


def good(job: Any, table: Any, text: Any, judged: str) -> str:
    """Each content once."""
    content = sql.names(one.name for one in table.fields)
    return f"SELECT DISTINCT ON ({content}) * FROM ({_good(job, table, text, judged)}) ORDER BY ALL"


stage._good_sql = good
