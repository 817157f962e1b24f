"""The command line of the demo."""

import argparse
import email.utils
import subprocess
import sys
import time

from demo_play import conversation, mail, page, world
from demo_play.bridge import Bridge
from demo_play.mail import Mailbox
from demo_play.matrix import Client
from demo_play.world import FEHMARN, FOLDER, SERVERS, short
from servers.plan import Plan
from servers.process import Trouble

HELP = """Fehmarn between a real Synapse and real mail servers, on this machine only.

    scripts/demo               install, start, play one conversation; everything stays up
    scripts/demo inbox         the mailbox of the person outside
    scripts/demo mail TEXT     write as the person outside: answers the newest mail
    scripts/demo room          what the staff member sees
    scripts/demo say TEXT      write as the staff member
    scripts/demo stop          end what was started; everything is kept in .demo for the next time

To begin anew: stop, and delete the folder .demo.
"""


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", default="start", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("text", nargs="*", metavar="TEXT")
    options = parser.parse_args()
    text = " ".join(options.text)
    if options.command in ("say", "mail") and not text:
        parser.error(f"{options.command} what?")
    try:
        COMMANDS[options.command](text)
    except Trouble as trouble:
        print(f"\n  {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def start(_):
    began = time.monotonic()
    world.plan()
    page.heading("Servers and Fehmarn")
    servers("install")
    Bridge(world.plan()).build()
    servers("up", "--fehmarn", FEHMARN)
    # Read again: `up` may have chosen other ports.
    plan = world.plan()
    bridge = Bridge(plan)
    bridge.configure()
    fresh = bridge.start()
    print(f"  fehmarn   up     {'' if fresh else 'already ':<8} pid {bridge.process.alive()['pid']}")
    client, mailbox = Client(plan.synapse_url), Mailbox(plan)
    client.log_in()
    page.heading("A conversation")
    conversation.play(client, mailbox)
    page.heading(f"All of this stays up (it took {time.monotonic() - began:.0f} s)")
    tell(plan, bridge)


def tell(plan, bridge):
    page.table([
        ("Log in", f"with Element or another client: homeserver {plan.synapse_url}, user {world.USER}, password {world.PASSWORD}"),
        ("Write as Anna", 'scripts/demo say "..."      and see the room: scripts/demo room'),
        ("Write as Bob", 'scripts/demo mail "..."     and see his mailbox: scripts/demo inbox'),
        ("What waits", f"{short(FEHMARN)} queue list --config {short(bridge.config)}"),
        ("Database", f"{short(plan.slot_folder(world.SLOT))}/fehmarn.db (SQLite)"),
        ("Logs", f"{short(plan.log)}/fehmarn.log, synapse.log, postfix.log, dovecot.log"),
        ("Stop", "scripts/demo stop"),
    ])  # fmt: skip


def stop(_):
    plan = Plan.open(FOLDER)
    if plan is None:
        raise Trouble("the demo was never started here")
    pid = Bridge(plan).stop()
    print(f"  fehmarn   {f'stopped (pid {pid})' if pid else 'was not running'}")
    servers("down")


def say(text):
    client = Client(running().synapse_url)
    client.log_in()
    client.say(client.direct_room()[0], text)
    page.event("matrix", f"{world.NAME} wrote", text)
    print("\n  It will be a mail in a moment: scripts/demo inbox")


def write_mail(text):
    mailbox = Mailbox(running())
    answered = next((old for _, old in mailbox.newest(1)), None)
    sent = mailbox.send(text, answered)
    page.event("mail", f"{world.OUTSIDE_NAME} wrote", f"{mail.header_lines(sent)}\n\n{mail.body(sent)}")
    print("\n  It will be in the room in a moment: scripts/demo room")


def inbox(_):
    found = Mailbox(running()).newest(5)
    page.heading(f"The newest mail of {world.OUTSIDE}" if found else f"{world.OUTSIDE} has no mail")
    for _, one in found:
        at = email.utils.parsedate_to_datetime(one["Date"]).astimezone()
        page.event("mail", f"from {one['From']}", f"{mail.header_lines(one)}\n\n{mail.body(one)}", f"{at:%H:%M:%S}")


def room(_):
    client = Client(running().synapse_url)
    client.log_in()
    page.heading(f"The room of {world.NAME} and {world.OUTSIDE}")
    names = {}
    for event in client.messages(client.direct_room()[0], 10):
        sender = event["sender"]
        names[sender] = names.get(sender) or client.display_name(sender)
        at = time.strftime("%H:%M:%S", time.localtime(event["origin_server_ts"] / 1000))
        page.event("matrix", names[sender], event["content"].get("body", ""), at)


def running():
    plan = Plan.open(FOLDER)
    if plan is None or Bridge(plan).process.alive() is None:
        raise Trouble("the demo is not running; start it with scripts/demo")
    return plan


def servers(command, *arguments):
    done = subprocess.run([sys.executable, SERVERS, command, "--dir", FOLDER, *arguments])
    if done.returncode:
        raise Trouble("the servers are not as they should be, see above")


COMMANDS = {"start": start, "stop": stop, "say": say, "mail": write_mail, "inbox": inbox, "room": room}
