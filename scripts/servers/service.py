"""What every server has in common: write its configuration, start, wait until it answers, stop."""

import fcntl
import hashlib
import shutil
import signal
import threading
import time

from servers import probe
from servers.process import Process, Trouble

CLAIM = threading.Lock()


class Service:
    name = ""
    needs_root = False
    # The system user it runs as, where root starts it.
    user = None
    # Where it notes its own pid, below `home`.
    pid_files = ()
    stop_signal = signal.SIGTERM
    # Seconds until it has to answer; generous, since a build may be running beside it.
    patience = 90

    def __init__(self, plan):
        self.plan = plan
        base = plan.run if self.needs_root else plan.dir
        self.home = base / self.name
        self.process = Process(base / "pid" / f"{self.name}.json", plan.log / f"{self.name}.log")
        self.digest = hashlib.sha256()

    # What a server says of itself.

    def configure(self):
        """Writes its folders and files, with `write`."""
        raise NotImplementedError

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def ready(self):
        """Whether it answers; an `OSError` means not yet."""
        raise NotImplementedError

    def where(self):
        """Its addresses, for people."""
        raise NotImplementedError

    def after_ready(self):
        """What can be done only once it answers."""

    # The commands: each returns (line to print, success).

    def start(self):
        with self.alone():
            self.configure()
            argv = [str(part) for part in self.argv()]
            self.digest.update("\n".join(argv).encode())
            digest, record = self.digest.hexdigest(), self.process.alive()
            if record and record["digest"] != digest:
                self.process.end(self.stop_signal)
                record = None
            began = time.monotonic()
            fresh = record is None
            if fresh:
                self.remove_left_pid_files()
                record = self.process.spawn(argv, digest, self.user, self.environment(), self.home)
            self.wait_until_ready()
            self.after_ready()
            took = f"{time.monotonic() - began:.1f} s" if fresh else "already"
            return f"up     {took:<8} pid {record['pid']:<8} {self.where()}", True

    def stop(self):
        if not self.process.file.exists():
            return None, True
        with self.alone():
            pid = self.process.end(self.stop_signal)
        return (f"stopped (pid {pid})" if pid else None), True

    def kill(self):
        with self.alone():
            pid = self.process.end(signal.SIGKILL)
        return (f"killed (pid {pid})" if pid else "was not running"), True

    def pause(self):
        return self.signal(signal.SIGSTOP, "paused")

    def resume(self):
        return self.signal(signal.SIGCONT, "resumed")

    def signal(self, number, done):
        with self.alone():
            pid = self.process.signal(number)
        return (f"{done} (pid {pid})" if pid else "was not running"), True

    def restart(self):
        self.stop()
        return self.start()

    def status(self):
        record = self.process.alive()
        if record is None:
            return "down", False
        problem = self.problem()
        return f"{problem or 'up':<16} pid {record['pid']:<8} {self.where()}", problem is None

    def wipe(self):
        """Throws its data away; it must have been stopped."""
        if self.process.alive():
            raise Trouble("still runs")
        shutil.rmtree(self.home, ignore_errors=True)
        self.process.log.unlink(missing_ok=True)
        return None, True

    # Tools.

    def wait_until_ready(self):
        deadline = time.monotonic() + self.patience
        while problem := self.problem():
            if self.process.alive() is None:
                raise Trouble(f"ended at once; the end of {self.process.log}:{self.process.tail()}")
            if time.monotonic() > deadline:
                raise Trouble(f"does not answer after {self.patience} s ({problem}); see {self.process.log}")
            time.sleep(0.05)

    def problem(self):
        try:
            return None if self.ready() else "answers wrongly"
        except probe.NOT_YET as error:
            return f"no answer: {error}"

    def write(self, path, text, mode=0o644):
        """A configuration file. A server whose files have changed is started again by the next `up`."""
        self.digest.update(f"{path}\n{text}\n".encode())
        path.parent.mkdir(parents=True, exist_ok=True)
        # Postfix waits two seconds after its file was touched.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        path.chmod(mode)

    def folder(self, path, owner=None, group=None, mode=0o755):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if owner or group:
            shutil.chown(path, owner, group)

    def remove_left_pid_files(self):
        """After a crash these name a process that is gone, and a server believes them if the number exists again."""
        for path in self.pid_files:
            (self.home / path).unlink(missing_ok=True)

    def alone(self):
        """Keeps two runs of the script from starting or stopping the same server at once."""
        if self.needs_root:
            claim(self.plan)
        self.process.file.parent.mkdir(parents=True, exist_ok=True)
        return Locked(self.process.file.with_suffix(".lock"))


class Locked:
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def claim(plan):
    """Makes the run folder ours. It may lie in /var/tmp, outlive its DIR and hold what belongs to an earlier one."""
    with CLAIM:
        run, mark = plan.run, plan.run / "identity"
        run.mkdir(mode=0o755, parents=True, exist_ok=True)
        if run.is_symlink() or run.stat().st_uid != 0:
            raise Trouble(f"{run} is not a folder of root's")
        run.chmod(0o755)
        if mark.exists() and mark.read_text() != plan.identity:
            for left in (run / "pid").glob("*.json"):
                Process(left, run / "unused.log").end()
            for entry in run.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        mark.write_text(plan.identity)
