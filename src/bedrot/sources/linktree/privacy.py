"""Tells the answers of Linktree that nobody may keep: those with people, money or secrets in them.

One load of the page brings them beside the analytics, and one answer may hold both.
"""

from __future__ import annotations

import re

from bedrot.contract import Original
from bedrot.contract.original import WHOLE_BYTES, decode_head

_ANSWER = re.compile(r'"data"\s*:\s*\{')
_OF_LINKTREE = re.compile(r'"(?:__typename|getAccountAnalytics|currentUser)"\s*:')
_KEYS = {
    "the account's owner": "currentUser|viewer|me",
    "a log-in": "accessToken|refreshToken|idToken|token|password|sessionId|apiKey|login",
    "names or addresses of people": "email|emailAddress|emails|phone|phoneNumber|firstName|lastName|ipAddress",
    "money matters": "wallet|wallets|commerce|payouts|bankAccount|stripeAccount|orders|customers|earnings",
    "followers": "followers|audience|contacts|subscriberList",
    "messages": "chat|chats|messages|conversations|inbox",
}
_PRIVATE = tuple((why, re.compile(rf'"(?:{keys})"\s*:')) for why, keys in _KEYS.items())
_MAIL = re.compile(r'"(\w+)"\s*:\s*"[^"\\\s@]+(?:@|\\u0040)[^"\\\s@]+\.[A-Za-z]{2,}"')


def private(original: Original) -> str | None:
    """Why a Linktree answer must not be kept; None for other files and for plain analytics.

    It looks at the text, so that a broken answer is recognised too.
    """
    head = original.head_text
    if not original.looks_like_json or not _ANSWER.search(head) or not _OF_LINKTREE.search(head):
        return None
    text = decode_head(original.data) if original.size <= WHOLE_BYTES else head + decode_head(original.tail)
    for why, pattern in _PRIVATE:
        if pattern.search(text):
            return f"It is an answer of Linktree that holds {why}."
    if any(found[1] != "title" for found in _MAIL.finditer(text)):
        return "It is an answer of Linktree that holds an e-mail address."
    return None
