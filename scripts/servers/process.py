"""One process that was started here. It is known by its pid, its start time and the boot, so that a number which the kernel
has given to somebody else meanwhile is never signalled."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Trouble(Exception):
    """A sentence for the person at the keyboard."""


class Process:
    """`file` remembers the process between two runs of the script; `log` takes what it prints."""

    def __init__(self, file, log):
        self.file, self.log = file, log

    def alive(self):
        """What was recorded at the start, while that very process lives; else `None`."""
        try:
            record = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return None
        started = start_ticks(record["pid"])
        return record if started is not None and (record["boot"], record["start"]) == (BOOT, started) else None

    def spawn(self, argv, digest="", user=None, environment=None, folder="/"):
        """Starts it in a session of its own; `user` is a name, for root only."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env={**os.environ, **(environment or {})}, start_new_session=True, **identity,
            )
        record = {"pid": child.pid, "start": start_ticks(child.pid), "boot": BOOT, "digest": digest}
        self.file.write_text(json.dumps(record) + "\n")
        return record

    def end(self, first=signal.SIGTERM, patience=20):
        """Signals the process and waits until it and all its children are gone. Returns its pid, `None` if it was not there."""
        record = self.alive()
        if record is None:
            self.file.unlink(missing_ok=True)
            return None
        family = descendants(record["pid"])
        # A crash takes all of them; in an orderly end the first one sees to the others.
        for pid, start in family.items() if first == signal.SIGKILL else [(record["pid"], record["start"])]:
            send(pid, start, first)
        if not gone(family, patience):
            for pid, start in family.items():
                send(pid, start, signal.SIGKILL)
            if not gone(family, 5):
                raise Trouble(f"process {record['pid']} does not end")
        self.file.unlink(missing_ok=True)
        return record["pid"]

    def signal(self, number):
        """Signals the process and all its children. Returns its pid, `None` if it was not there."""
        record = self.alive()
        if record is None:
            return None
        for pid, start in descendants(record["pid"]).items():
            send(pid, start, number)
        return record["pid"]

    def tail(self, lines=4):
        """The end of the log, for a message about a failure."""
        try:
            text = self.log.read_bytes()[-4000:].decode(errors="replace")
        except OSError:
            return ""
        return "\n    ".join(["", *text.strip().splitlines()[-lines:]])


def stat(pid):
    """The fields of /proc/PID/stat from the third on (state, parent, ...), `None` for a process that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def start_ticks(pid):
    fields = stat(pid)
    return int(fields[19]) if fields else None


def descendants(root):
    """The process and all below it, as {pid: start time}."""
    parents, starts = {}, {}
    for entry in os.listdir("/proc"):
        fields = stat(entry) if entry.isdigit() else None
        if fields:
            parents[int(entry)], starts[int(entry)] = int(fields[1]), int(fields[19])
    family = {root} & starts.keys()
    while True:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        if not more:
            return {pid: starts[pid] for pid in family}
        family |= more


def send(pid, start, number):
    if start_ticks(pid) == start:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def gone(family, patience):
    deadline = time.monotonic() + patience
    while any(start_ticks(pid) == start for pid, start in family.items()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True
