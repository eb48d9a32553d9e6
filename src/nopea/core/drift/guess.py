"""Guess what in an object is a secret although it is not in a Secret: by name, place and look. Pure.

A wrong guess hides a harmless value; a missed one shows a password to everybody who may read a status.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

from nopea.core.apply.fieldset import Path
from nopea.core.apply.list_items import render_key
from nopea.core.secret import MASK, mask_text

_NAME: Final = re.compile(
    r"password|passwd|passphrase|passcode|\bpass\b|pwd|secret|token|credential|\bauth\b|authorization|apikey"
    r"|accesskey|privatekey|\bdsn\b|\bpat\b|\bpem\b|connection string|\bkeys?$|\bkey \w+$"
)
_HARMLESS: Final = frozenset(
    (
        "key", "keys", "topology key", "name", "secret name", "secret ref", "secret key ref",
        "token expiration seconds", "automount service account token", "service account token",
        "image pull secrets", "secret", "public key", "match label keys",
    )
)  # fmt: skip
"""Fields of Kubernetes' own kinds that name a Secret or a key, or hold a mapping."""

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SPOKEN: Final = (
    r"(?:[\w.-]{0,128}(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|credentials?|dsn)[\w.-]{0,128}|[\w.-]{0,64}auth(?:orization)?)"
)
"""A name in a text that is followed by its value."""

_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[{\[].*"
_ASSIGNMENT: Final = re.compile(
    rf"(?is)(?P<name>(?<![\w.-]){_SPOKEN}[\"']?\s{{0,8}}(?:=>|[:=])\s{{0,8}})(?P<value>{_QUOTED}|[^\s&;]+)"
)
_HEADER: Final = re.compile(
    r"(?i)(?P<name>authorization[\"']?\s{0,8}[:=]\s{0,8})(?P<value>[^\s\"'][^\n\"']*)"
)
_LINE: Final = re.compile(
    rf"(?im)^(?P<name>[ \t]{{0,64}}[\"']?{_SPOKEN}[\"']?[ \t]{{0,8}}(?:=>|[:=]))"
    r"(?P<value>[ \t]*(?:[|>][-+0-9]{0,2})?[ \t]*(?:\n[ \t]+[^\n]*)+|[^\n]*[^\s{\[\n])"
)
"""A line of YAML or of properties: all of it is the value, and so are the lines of its block."""

_FLAG: Final = re.compile(rf"(?i)(?P<name>(?<![\w-])--?{_SPOKEN}\s{{1,8}})(?P<value>{_QUOTED}|[^\s-]\S*)")
_URL_PASSWORD: Final = re.compile(r"://[^\s/@:\"']{0,128}:(?!\d{1,5}[/?#])[^\s\"']{0,1024}@")
"""A password may have the characters that end the authority of a URL."""

_HOOK: Final = re.compile(
    r"(?i)(?P<place>https?://(?:hooks\.[\w.-]{1,128}/|[\w.-]{0,64}discord(?:app)?\.com/api/webhooks/"
    r"|[\w.-]{1,128}\.webhook\.office\.com/|outlook\.office(?:365)?\.com/webhook|api\.telegram\.org/bot))"
    r"[^\s\"']+"
)
"""Addresses of chats to which everybody may write who knows them."""

_WORD: Final = re.compile(r"(?<![\w:@/.+=-])[A-Za-z0-9+_=-]{24,}(?![\w/.+=-])")
_BEARER: Final = re.compile(r"(?i)\b(?P<kind>bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
_BLOCK: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*", re.DOTALL)
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/=_.~-]{20,}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_LEAST_ENTROPY: Final = 3.7
_LEAST_ENTROPY_OF_HEX: Final = 3.0
_DEEPEST: Final = 64
_LONGEST: Final = 1024
"""Of one text; what is shown in the end is shorter."""

_LONGEST_FLAG: Final = 128
_TEXTS: Final = 16
"""How many texts of the greatest length are searched in one value; the rest is hidden without a look."""


def without_secrets(value: Any, path: Path, *, longest: int = _LONGEST) -> Any:
    """Return the value of a field with what looks like a secret replaced by a mask.

    Texts are cut to `longest` characters; after 16 times as many in all, the rest is masked without a look.
    """
    return _Hider(longest).hide(value, hidden=_is_hidden(path), depth=0)


def shown_path(path: Path) -> str:
    """Format a path for messages; members of sets and keys of items, which are values, are masked too."""
    return "".join(_shown(element, path[:index]) for index, element in enumerate(path)) or "."


def _shown(element: str, parents: Path) -> str:
    if element[:2] not in ("v:", "k:"):
        return render_key(element)
    try:
        value = orjson.loads(element[2:])
    except orjson.JSONDecodeError:
        return render_key(element)
    hidden = element[:2] == "v:" and _is_hidden(parents)
    shown = _Hider().hide(value, hidden=hidden, depth=0)
    return render_key(element[:2] + orjson.dumps(shown).decode()) if shown != value else render_key(element)


def _is_hidden(path: Path) -> bool:
    """Whether the place itself tells: an environment variable's value, or a name on the way to it."""
    names = [_name_of(element) for element in path]
    return ("env" in names and path[-1:] == ("f:value",)) or any(map(looks_secret, names))


def _name_of(element: str) -> str:
    """Return the field of an element, or of a list's item the name it is known by."""
    kind, _, text = element.partition(":")
    if kind != "k":
        return text
    try:
        keys = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    name = keys.get("name") if isinstance(keys, dict) else None
    return name if isinstance(name, str) else ""


def looks_secret(name: str) -> bool:
    """Return whether a field, a key or an environment variable of this name holds a secret."""
    words = " ".join(_WORDS.findall(name[:256])).lower()
    return words not in _HARMLESS and _NAME.search(words) is not None


class _Hider:
    """Hides in one value; `_left` is how many characters may still be searched."""

    def __init__(self, longest: int = _LONGEST) -> None:
        self._longest = longest
        self._left = _TEXTS * longest

    def hide(self, value: Any, *, hidden: bool, depth: int) -> Any:
        if depth > _DEEPEST:
            return MASK
        match value:
            case str():
                return MASK if hidden else self._text(value)
            case bool() | None:
                return value
            case int() | float():
                return MASK if hidden else value
            case Mapping():
                is_pair = isinstance(value.get("name"), str) and "value" in value  # as in env, and in headers
                return {
                    name: self.hide(
                        item,
                        hidden=hidden or (is_pair and name == "value") or looks_secret(str(name)),
                        depth=depth + 1,
                    )
                    for name, item in value.items()
                }
            case list() | tuple():
                before = [None, *value]  # the value of a flag may be the next argument
                return [
                    self.hide(item, hidden=hidden or _asks_for_secret(flag), depth=depth + 1)
                    for flag, item in zip(before, value, strict=False)
                ]
            case _:
                return MASK

    def _text(self, text: str) -> str:
        self._left -= min(len(text), self._longest)
        if self._left < 0:
            return MASK
        if text.lstrip()[:1] in ("{", "[") and (inner := _json_in(text)) is not None:
            shown = self.hide(inner, hidden=False, depth=1)
            return text if shown == inner else orjson.dumps(shown).decode()
        return _hide_in_text(text, self._longest)


def _asks_for_secret(item: Any) -> bool:
    """Whether it is an argument such as `--password`, whose value is the next one."""
    is_flag = isinstance(item, str) and item[:1] == "-" and len(item) <= _LONGEST_FLAG
    return is_flag and "=" not in item and looks_secret(item)


def _json_in(text: str) -> Any:
    """Return the JSON in a text; None if there is none, or too much."""
    if len(text) > _LONGEST:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _hide_in_text(text: str, longest: int) -> str:
    """Hide what looks like a secret in a text: the whole of it, or a part such as a URL's password.

    The text comes from an object, so it is cut before any expression searches it.
    """
    if len(text) > longest:
        text = f"{text[:longest]}…"
    if _is_random(text.strip()):
        return MASK
    text = _HOOK.sub(rf"\g<place>{MASK}", _URL_PASSWORD.sub(f"://{MASK}@", text))
    text = _BLOCK.sub(MASK, mask_text(text))
    text = _BEARER.sub(rf"\g<kind> {MASK}", text)
    for assignment in (_HEADER, _LINE, _ASSIGNMENT, _FLAG):
        text = assignment.sub(_hide_value, text)
    return _WORD.sub(lambda word: MASK if _is_random(word[0]) else word[0], text)


def _hide_value(found: re.Match[str]) -> str:
    value = found["value"]
    return f"{found['name']}{value[: len(value) - len(value.lstrip(' '))]}{MASK}"


def _is_random(text: str) -> bool:
    """Whether it is one long word as no person would choose it: a token, a key, a digest."""
    if _HEX.fullmatch(text):
        return _entropy(text) >= _LEAST_ENTROPY_OF_HEX
    if not _RANDOM.fullmatch(text) or not (re.search("[0-9]", text) and re.search("[A-Za-z]", text)):
        return False
    if not (re.search("[a-z]", text) and re.search("[A-Z]", text)) and not text.isalnum():
        return False  # a name such as web-1-2-3.acme.example has separators, and one case
    return _entropy(text) >= _LEAST_ENTROPY


def _entropy(text: str) -> float:
    """Return the entropy in bits for each character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
