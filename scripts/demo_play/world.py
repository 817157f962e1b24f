"""Who and what there is in the demo."""

import os
from pathlib import Path

from servers.plan import Plan, Slot

CHECKOUT = Path(__file__).resolve().parent.parent.parent
FOLDER = CHECKOUT / ".demo"
SERVERS = CHECKOUT / "scripts" / "servers" / "servers.py"
TARGET = CHECKOUT / os.environ.get("CARGO_TARGET_DIR", "target")
# The build of the tests: an optimised one takes three times as long.
FEHMARN = TARGET / "debug" / "fehmarn"

SERVER_NAME = "demo.test"
# The staff member.
USER, NAME, PASSWORD = "anna", "Anna Muster", "secret"
USER_ID = f"@{USER}:{SERVER_NAME}"
# Staff write from this domain, and what is sent there is Fehmarn's.
DOMAIN = "chat.demo.test"
# The person outside, and the Matrix user who stands for them.
OUTSIDE, OUTSIDE_NAME = "bob@example.org", "Bob Beispiel"
GHOST = f"@_email_bob=40example.org:{SERVER_NAME}"

# Apart from the ports of the tests.
PORTS = 26000
SLOT = Slot(name="chat", number=0, prefix="", domain=DOMAIN, imap_domain="", folder="fehmarn")


def plan():
    """What the scripts that start servers read; remembered in .demo/servers.json."""
    known = Plan.open(FOLDER)
    if known is None:
        known = Plan.new(FOLDER, SERVER_NAME, ["synapse", "postfix", "dovecot"], [SLOT], PORTS)
        known.save()
    return known


def short(path):
    """A path as one would type it in the checkout."""
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path
