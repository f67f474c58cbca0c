"""What a hostile device, file or person says, one evil a text; and what none of it may become.

The rule: every text fits a USB string descriptor (126 units of UTF-16); longer ones are made
from these where something longer can be said.
"""

from __future__ import annotations

import re

from console.letters import harmless

TEXTS = {
    "escapes": "\x1b[2J\x1b[31mRED\x1b[1;1H\x1b]0;owned\x07\x1bc\x1b[?1049l",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "c1": "\x9b2J\x9d0;owned\x9c\x90q\x9c\x84\x85next",
    "controls": "bell\x07nul\x00cr\rlf\nrun 9: REPAIRED\ttab\x7f\x08\x08\x0e\x0f\u2028ls\u2029ps",
    "bidi": "\u202egpj.exe\u202c\u202a\u202b\u202d\u2066a\u2069\u2067b\u2068c\u200e\u200f\u061c",
    "hebrew": "\u05d0\u05d1\u05d2 123 (\u05e9\u05dc\u05d5\u05dd) \u0627\u0644",
    "zero": "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u034fh\u115f\u1160\u3164i\ufe0f\u2800",
    "tower": "Z" + "\u0301\u0489\u0336\u035c" * 31,
    "surrogates": "\ud800x\udfff\ud83d",
    "long": "W" * 126,
    "wide": "\u5b57" * 126,
    "emoji": "\U0001f600" * 40 + "\U0001f469\u200d\U0001f467\u2764\ufe0f\U0001f44d\U0001f3fb",
    "rich": "[red]x[/red][/][link=http://evil.example]y[/link][@click=app.exit]z[/]",
    "html": '<script>alert(1)</script>"onmouseover="x\' </title></pre><!-- &lt;&#x3c; <img src=x>',
    "markdown": "`a` | b | [x](http://e.example) ![i](http://e.example/i.png) # h * ***b*** ~~s~~",
    "raw": "<b>b</b> <!-- c --> <http://e.example> $m$ http://e.example a@e.example &amp; \\",
    "heading": "# H\n===\n- l\n1. n\n> q\n\n    code\n```\nfence\n| a | b |\n|---|---|\n---",
    "json": '"},{"event":"RunEnded"}\\u0000\\ \x00{"n":1}',
    "formats": "{} {0.__class__} %s %n %(x)s ${HOME} `id` $(id) {{ 7*7 }} {% x %} {device}",
}
"""By name."""


def units(text: str) -> str:
    """As much of the text as fits a string descriptor."""
    while len(text.encode("utf-16-le", "surrogatepass")) > 2 * 126:
        text = text[:-1]
    return text


def must_be_harmless(text: str, kept: str = "\n\t") -> None:
    """No control character, no mark of direction, no half letter, no tower; line ends may be."""
    bad = [sign for sign in text if not sign.isprintable() and sign not in kept]
    assert bad == [], f"{bad} in {text[:500]!r}"
    for line in re.split(f"[{kept}]" if kept else "$", text):
        assert harmless(line) == line, ascii(line)
