"""One conversation in both directions, printed while it happens."""

import time

from demo_play import mail, page
from demo_play.world import GHOST, NAME, OUTSIDE, OUTSIDE_NAME

QUESTION = "Guten Tag, Herr Beispiel, für Ihren Bauantrag fehlt noch der Lageplan. Können Sie ihn bis Freitag nachreichen?"
ANSWER = "Guten Tag, Frau Muster,\n\nden Lageplan bringe ich am Donnerstag vorbei. Passt Ihnen 10 Uhr?\n\nViele Grüße\nBob Beispiel"
# Generous: a machine may be busy. What it took is printed.
PATIENCE = 60


def play(client, mailbox):
    room, new = client.direct_room()
    since, first_uid = client.now(), mailbox.next_uid()
    told = f"{NAME} opens a direct room with {OUTSIDE}" if new else f"{NAME} goes to her room with {OUTSIDE}"
    page.event("matrix", f"{told} and writes", QUESTION)
    began = time.monotonic()
    client.say(room, QUESTION)
    arrived = mailbox.wait_for(first_uid, PATIENCE)
    page.event("mail", f"the mail is in the mailbox of {OUTSIDE}, {since_then(began)}",
               f"{mail.header_lines(arrived)}\n\n{mail.body(arrived)}")  # fmt: skip
    sent = mailbox.send(ANSWER, answered=arrived)
    began = time.monotonic()
    page.event("mail", f"{OUTSIDE_NAME} answers in his mail program", f"{mail.header_lines(sent)}\n\n{mail.body(sent)}")
    event = client.wait_for(room, GHOST, since, PATIENCE)
    page.event("matrix", f"the answer is in the room, {since_then(began)}, from {client.display_name(GHOST)}", event["content"]["body"])


def since_then(began):
    return f"{time.monotonic() - began:.1f} s later"
