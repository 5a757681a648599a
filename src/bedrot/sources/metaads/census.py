"""Physical records counted in the raw text, by brackets and quotation marks alone."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_LIST = r'"%s"\s*:\s*\[((?:[^\]"]|"[^"\\]*(?:\\.[^"\\]*)*")*)\]'
_LISTS = tuple(re.compile(_LIST % name, re.DOTALL) for name in ("actions", "action_values"))
_WINDOW = re.compile(r'"(?:value|inline|dda|\d+d_[a-z_]+|skan_[a-z_]+)"\s*:')
_LINE = re.compile(r'(?:[^"\r\n]|"[^"]*")+')


def items(text: str) -> list[str]:
    """The texts of the objects that stand directly in the outermost list, or in the list under the outermost `data`."""
    found: list[str] = []
    depth = listed = start = 0
    last = ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            if mark == "[" and not listed and (depth == 0 or (depth == 1 and last == '"data"')):
                listed = depth + 1
            elif mark == "{" and depth == listed:
                start = token.start()
            depth += 1
        elif mark in "]}":
            depth -= 1
            if mark == "}" and listed and depth == listed:
                found.append(text[start : token.end()])
            elif listed and depth < listed:
                break
        else:
            last = mark
    return found


def action_records(records: list[str]) -> int:
    """How many numbers stand in lists of actions, and how many records have none of a list that others have."""
    count = 0
    for pattern in _LISTS:
        numbers = [sum(len(_WINDOW.findall(one)) for one in pattern.findall(record)) for record in records]
        if any(numbers):
            count += sum(numbers) + numbers.count(0)
    return count


def lines(text: str) -> int:
    """How many lines that are not blank follow the heading row, line ends between quotation marks apart."""
    return max(0, sum(1 for line in _LINE.findall(text.lstrip("\ufeff")) if line.strip()) - 1)
