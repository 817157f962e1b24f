#!/usr/bin/env python3
"""Starts and stops real servers on loopback, in one folder. Python's standard library only.

    servers.py up      --dir DIR [--fehmarn BINARY] [--fresh]    install what is missing, write configuration, start
    servers.py down    --dir DIR [--wipe]                        stop what was started here, and nothing else
    servers.py status  --dir DIR
    servers.py start|stop|restart|kill --dir DIR SERVICE...      `kill` is SIGKILL: a crash
    servers.py pause|resume --dir DIR SERVICE...                 SIGSTOP, and SIGCONT afterwards
    servers.py install --dir DIR                                 only what is missing: packages, Synapse, clients

Everything that a reader needs to know stands in DIR/servers.json afterwards. Postfix, Dovecot and PostgreSQL are started by
root; for a caller who is not root, sudo is used.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.stdout.reconfigure(line_buffering=True)
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from servers import install, slots, tls
from servers.dovecot import Dovecot
from servers.ejabberd import Ejabberd
from servers.plan import ALL, SERVICES, Plan
from servers.postfix import Postfix
from servers.postgres import Postgres
from servers.process import Trouble
from servers.prosody import Prosody
from servers.synapse import Synapse
from servers.web import Web

CLASSES = {c.name: c for c in (Synapse, Postfix, Dovecot, Postgres, Prosody, Ejabberd, Web)}


def main():
    options = arguments()
    try:
        plan = Plan.open(options.dir)
        if plan is None and options.command not in ("up", "install"):
            raise Trouble(f"no servers were ever started in {options.dir}")
        plan = plan or Plan.new(options.dir)
        if options.owner:
            plan.owner = tuple(int(part) for part in options.owner.split(":"))
        return 0 if COMMANDS[options.command](plan, options) else 1
    except (Trouble, OSError) as error:
        print(f"  {error}", file=sys.stderr)
        return 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=" ".join(ALL))
    parser.add_argument("--dir", type=Path, required=True, help="the folder of these servers")
    parser.add_argument("--with", dest="wanted", help=f"which servers, with commas (else: {','.join(SERVICES)})")
    parser.add_argument("--port-base", type=int, help="first port (first time: the first free range)")
    parser.add_argument("--server-name", help="of Synapse (first time: fehmarn.test)")
    parser.add_argument("--slots", type=int, help="how many slots (first time: 12)")
    parser.add_argument("--fehmarn", type=Path, help="the program, which writes the slots' registration files")
    parser.add_argument("--fresh", action="store_true", help="with up: throw accounts, rooms, mail and slots away first")
    parser.add_argument("--wipe", action="store_true", help="with down: throw them away afterwards")
    # For the child that sudo starts: whose folder it is.
    parser.add_argument("--owner", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args()
    options.wanted = options.wanted.split(",") if options.wanted else None
    for name in options.services + (options.wanted or []):
        if name not in CLASSES:
            parser.error(f"no such service: {name} (there are {' '.join(SERVICES)})")
    if options.command in ("restart", "kill", "pause", "resume") and not options.services:
        parser.error(f"{options.command} needs the name of a service")
    return options


def up(plan, options):
    began = time.monotonic()
    if options.fresh and plan.file.exists():
        each(plan, "stop", ALL)
        wipe(plan)
    plan.change(options.wanted, options.server_name, options.slots)
    plan.choose_ports(options.port_base, running=[s for s in ALL if CLASSES[s](plan).process.alive()])
    plan.save()
    install.everything(plan)
    tls.ensure(plan)
    slots.ensure(plan, options.fehmarn)
    ok = each(plan, "start", named(plan, options))
    print(f"  {'all up' if ok else 'NOT all up'} after {time.monotonic() - began:.1f} s; see {plan.file}")
    return ok


def down(plan, options):
    ok = each(plan, "stop", options.services or ALL)
    if options.wipe:
        wipe(plan)
    return ok


def wipe(plan):
    wipe_servers(plan, ALL)
    slots.wipe(plan)


def wipe_servers(plan, names):
    ok = each(plan, "wipe", names)
    if ok and os.geteuid() == 0:
        shutil.rmtree(plan.run, ignore_errors=True)
    return ok


def only(action):
    """A command that does one thing with each service and nothing else."""
    return lambda plan, options: each(plan, action, named(plan, options))


def named(plan, options):
    missing = [name for name in options.services if name not in plan.services]
    if missing:
        raise Trouble(f"{' '.join(missing)} is not among the servers of {plan.dir}: {' '.join(plan.services)}")
    return options.services or plan.services


def each(plan, action, names):
    """Does one thing with several services at once; those that need root in one child that has it."""
    anybody = os.geteuid() == 0 or action == "status"
    mine = [name for name in names if anybody or not CLASSES[name].needs_root]
    others = [name for name in names if name not in mine]
    child = as_root(plan, action, others) if others else None
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(CLASSES)) as pool:
        results = list(pool.map(lambda name: one(plan, action, name), mine))
    return all(results) and (child is None or child.wait() == 0)


def as_root(plan, action, names):
    command = ["sudo", sys.executable, install.SCRIPT, action, *names, "--dir", str(plan.dir)]
    return subprocess.Popen(command + ["--owner", f"{plan.owner[0]}:{plan.owner[1]}"])


def one(plan, action, name):
    try:
        line, ok = getattr(CLASSES[name](plan), action)()
    except (Trouble, OSError) as error:
        line, ok = f"NOT OK: {error}", False
    if line:
        # One write, as the others write at the same time.
        sys.stdout.write(f"  {name:<9} {line}\n")
    return ok


COMMANDS = {
    "up": up,
    "down": down,
    "status": only("status"),
    "start": only("start"),
    "stop": down,
    "restart": only("restart"),
    "kill": only("kill"),
    "pause": only("pause"),
    "resume": only("resume"),
    "install": lambda plan, options: plan.save() or install.everything(plan),
    # For the children that sudo starts.
    "packages": lambda plan, options: install.packages(plan),
    "wipe": lambda plan, options: wipe_servers(plan, options.services),
}

if __name__ == "__main__":
    sys.exit(main())
