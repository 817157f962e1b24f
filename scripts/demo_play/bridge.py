"""Fehmarn itself: build, configure, check, run, stop."""

import hashlib
import shutil
import socket
import subprocess
import time

from demo_play import yaml
from demo_play.world import CHECKOUT, FEHMARN, SLOT, short
from servers.plan import HOST
from servers.process import Process, Trouble

PATIENCE = 30


class Bridge:
    def __init__(self, plan):
        self.plan = plan
        self.config = plan.slot_folder(SLOT) / "config.yaml"
        self.ports = SLOT.ports(plan.port_base)
        self.process = Process(plan.dir / "pid" / "fehmarn.json", plan.log / "fehmarn.log")

    def build(self):
        if shutil.which("cargo") is None:
            raise Trouble("cargo is not in PATH: Rust is needed to build Fehmarn")
        if subprocess.run(["cargo", "build", "--locked", "--bin", "fehmarn"], cwd=CHECKOUT).returncode:
            raise Trouble("the build failed")

    def configure(self):
        """`fehmarn init` wrote the file; here it learns of this machine's mail server, as an administrator would tell it."""
        smtp, lmtp = "connectors.email.smtp", "connectors.email.lmtp"
        text = self.config.read_text()
        for key, value in {
            f"{smtp}.host": HOST,
            f"{smtp}.port": self.plan.port("smtp"),
            f"{smtp}.tls": "none",
            f"{lmtp}.listen": f'"{HOST}:{self.ports["lmtp_port"]}"',
        }.items():
            text = yaml.set_value(text, key, value)
        self.config.write_text(text)

    def check(self):
        if subprocess.run([FEHMARN, "check", "--config", self.config], cwd=CHECKOUT).returncode:
            raise Trouble(f"Fehmarn's own check failed; its configuration is {short(self.config)}")

    def start(self):
        """Starts it, or again if the program or its configuration have changed, after its own check. Returns whether it did."""
        digest = hashlib.sha256(self.config.read_bytes() + str(FEHMARN.stat().st_mtime_ns).encode()).hexdigest()
        record = self.process.alive()
        if record and record["digest"] == digest:
            return False
        self.process.end()
        self.check()
        self.process.spawn([str(FEHMARN), "run", "--config", str(self.config)], digest, folder=self.config.parent)
        deadline = time.monotonic() + PATIENCE
        while not all(listens(self.ports[name]) for name in ("listen_port", "lmtp_port")):
            if self.process.alive() is None:
                raise Trouble(f"Fehmarn ended at once; the end of {short(self.process.log)}:{self.process.tail(8)}")
            if time.monotonic() > deadline:
                raise Trouble(f"Fehmarn does not listen after {PATIENCE} s; see {short(self.process.log)}")
            time.sleep(0.05)
        return True

    def stop(self):
        return self.process.end()


def listens(port):
    try:
        socket.create_connection((HOST, port), 3).close()
    except OSError:
        return False
    return True
