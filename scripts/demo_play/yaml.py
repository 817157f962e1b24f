"""Changes single values in a YAML file whose comments and order stay. For plain nested mappings, which is what Fehmarn writes."""

import re

from servers.process import Trouble

LINE = re.compile(r"^( *)([\w.@\"*-]+):(?: +(\S.*?))?( +#.*)?$")


def set_value(text, path, value):
    """Sets the key, given as `a.b.c`, which must stand in the text."""
    lines, wanted, open_keys = text.splitlines(), path.split("."), []
    for number, line in enumerate(lines):
        found = LINE.match(line)
        if not found:
            continue
        depth = len(found[1])
        open_keys = [(d, key) for d, key in open_keys if d < depth] + [(depth, found[2])]
        if [key for _, key in open_keys] == wanted:
            lines[number] = f"{found[1]}{found[2]}: {value}{found[4] or ''}"
            return "\n".join(lines) + "\n"
    raise Trouble(f"the configuration has no {path}")
