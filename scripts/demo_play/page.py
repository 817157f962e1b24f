"""How the demo is printed: times on the left, then who, then what."""

import os
import sys
import textwrap
import time

WIDTH = 100
PLAIN = not sys.stdout.isatty() or "NO_COLOR" in os.environ
STYLES = {"bold": "1", "dim": "2", "matrix": "36", "mail": "33"}


def styled(style, text):
    return text if PLAIN else f"\033[{STYLES[style]}m{text}\033[0m"


def heading(text):
    print(f"\n{styled('bold', text)}")


def event(side, text, quote="", clock=None):
    """One thing that happened, on the side `matrix` or `mail`, and what was written there. It happened now, if not told."""
    clock = clock or time.strftime("%H:%M:%S")
    print(f"\n  {styled('dim', clock)}  {styled(side, f'{side.capitalize():<6}')}  {text}")
    for line in quote.splitlines():
        for part in textwrap.wrap(line, WIDTH - 22, break_long_words=False) or [""]:
            print(f"                      {styled('dim', '|')} {part}".rstrip())


def table(rows):
    width = max(len(left) for left, _ in rows)
    for left, right in rows:
        print(f"  {left:<{width}}   {right}")
