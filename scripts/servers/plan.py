"""What is wanted in one folder: which servers, names, ports, slots. Kept in DIR/servers.json, which the tests read too."""

import dataclasses
import hashlib
import json
import os
import secrets
import socket
import stat
from pathlib import Path

from servers.process import Trouble

SERVICES = ["synapse", "postfix", "dovecot", "postgres", "prosody", "web"]
# Started only where they are named.
ALL = [*SERVICES, "ejabberd"]
# A folder from before it was noted what was chosen had at least these, if nothing was.
FIRST_SERVICES = SERVICES[:4]
HOST = "127.0.0.1"
PASSWORD = "secret"
BROWSER = "/usr/bin/chromium"
# Where the people outside have their XMPP accounts; each slot has a component below it.
XMPP_DOMAIN = "xmpp.test"
# Below 32768, where Linux begins to give ports to outgoing connections.
TEST_PORTS = 21000
RANGES = 8
RANGE = 500
OFFSETS = {
    "synapse": 0, "smtp": 1, "submission": 2, "smtps": 3, "imap": 4, "imaps": 5, "lmtp": 6, "postgres": 7,
    "xmpp": 8, "xmpp_component": 9, "xmpp_http": 10, "xmpp_tls": 11,
    "ejabberd": 12, "ejabberd_component": 13, "ejabberd_http": 14, "ejabberd_tls": 15,
}
FIRST_SLOT = 100
SLOT_PORTS = 10
PORTS_OF_SLOTS = ("listen_port", "lmtp_port", "clients_port", "front_port")
# A Unix socket's path has at most 107 bytes; the longest below this folder needs about 45.
LONGEST_RUN_FOLDER = 50


@dataclasses.dataclass
class Slot:
    """One application service that Synapse knows. Its folder holds config.yaml and registration.yaml.

    Postfix hands `domain` to LMTP on `lmtp_port`, where the slot's own Fehmarn listens, and `imap_domain` to one catch-all
    mailbox of Dovecot. `prefix` is of the slot's Matrix users, empty for Fehmarn's own default.
    """

    name: str
    number: int
    prefix: str
    domain: str
    imap_domain: str
    folder: str

    def ports(self, base):
        first = base + FIRST_SLOT + SLOT_PORTS * self.number
        return {
            "listen_port": first, "lmtp_port": first + 1, "spare_ports": list(range(first + 2, first + 7)),
            # Where its Fehmarn listens for clients, and the reverse proxy in front of that and of Synapse.
            "clients_port": first + 7, "front_port": first + 8,
        }


def test_slots(count):
    return [
        Slot(f"s{i}", i, f"_s{i}_", f"s{i}.bridge.test", f"s{i}.imap.test", f"slots/s{i}")
        for i in range(count)
    ]


@dataclasses.dataclass
class Plan:
    dir: Path
    run: Path
    port_base: int
    server_name: str
    # What was asked for by name; `None`: all that there are, also those that a later version of this script adds.
    chosen: list
    slots: list
    shared_secret: str
    identity: str
    owner: tuple

    @classmethod
    def new(cls, folder, server_name="fehmarn.test", chosen=None, slots=None, port_base=TEST_PORTS):
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        owner = (os.getuid(), os.getgid())
        slots = test_slots(12) if slots is None else slots
        return cls(folder, run_folder(folder, owner), port_base, server_name, chosen, slots,
                   secrets.token_hex(16), secrets.token_hex(8), owner)

    @classmethod
    def open(cls, folder):
        """The plan of this folder; `None` if nothing was ever planned there."""
        folder = folder.absolute().resolve()
        try:
            known = json.loads((folder / "servers.json").read_text())
        except FileNotFoundError:
            return None
        fields = [field.name for field in dataclasses.fields(Slot)]
        slots = [Slot(**{name: slot[name] for name in fields}) for slot in known["slots"]]
        return cls(folder, Path(known["run"]), known["port_base"], known["server_name"], chosen_before(known), slots,
                   known["synapse"]["registration_shared_secret"], known["identity"],
                   (os.getuid(), os.getgid()))

    @property
    def services(self):
        return SERVICES if self.chosen is None else [name for name in ALL if name in self.chosen]

    @property
    def file(self):
        return self.dir / "servers.json"

    @property
    def log(self):
        return self.dir / "log"

    @property
    def ca(self):
        return self.dir / "tls" / "ca.pem"

    @property
    def synapse_url(self):
        return f"http://{HOST}:{self.port('synapse')}"

    def port(self, what):
        return self.port_base + OFFSETS[what]

    def slot_folder(self, slot):
        return self.dir / slot.folder

    def xmpp_domain(self, slot):
        return f"{slot.name}.{XMPP_DOMAIN}"

    def registration(self, slot):
        return self.slot_folder(slot) / "registration.yaml"

    def change(self, services=None, server_name=None, slot_count=None):
        """Takes over what was named on the command line."""
        if services:
            self.chosen = services
        if slot_count is not None and slot_count != len(self.slots):
            self.slots = test_slots(slot_count)
        if server_name and server_name != self.server_name:
            if (self.dir / "synapse" / "homeserver.db").exists():
                raise Trouble(f"the Synapse in {self.dir} is called {self.server_name} for ever; use --fresh or another folder")
            self.server_name = server_name

    def choose_ports(self, wanted, running):
        """Keeps the known range while it can; else takes the wanted one or the next free one."""
        if running and wanted in (None, self.port_base):
            return
        if running:
            raise Trouble(f"{' '.join(running)} still runs on ports from {self.port_base}; stop it before they change")
        # Registration files name their port, so a range is settled once they are written.
        settled = any(self.registration(slot).exists() for slot in self.slots)
        if wanted and settled and wanted != self.port_base:
            raise Trouble(f"the ports of {self.dir} begin with {self.port_base}; use --fresh to change that")
        first = wanted or self.port_base
        bases = [first] if wanted or settled else [first + RANGE * i for i in range(RANGES)]
        taken = []
        for base in bases:
            taken = [port for port in self.all_ports(base) if not is_free(port)]
            if not taken:
                self.port_base = base
                return
        raise Trouble(f"ports are taken by another program: {' '.join(map(str, taken))}")

    def all_ports(self, base):
        of_slots = [slot.ports(base) for slot in self.slots]
        return [base + offset for offset in OFFSETS.values()] + [p[k] for p in of_slots for k in PORTS_OF_SLOTS]

    def save(self):
        text = json.dumps(self.for_readers(), indent=2) + "\n"
        if not self.file.exists() or self.file.read_text() != text:
            # A reader sees the old or the new text, never a part.
            partial = self.file.with_suffix(".part")
            partial.write_text(text)
            partial.replace(self.file)

    def for_readers(self):
        synapse = {
            "url": self.synapse_url,
            "port": self.port("synapse"),
            "registration_shared_secret": self.shared_secret,
            "config": str(self.dir / "synapse" / "homeserver.yaml"),
            "database": str(self.dir / "synapse" / "homeserver.db"),
        }
        mail = {name: self.port(name) for name in ("smtp", "submission", "smtps", "imap", "imaps", "lmtp")}
        return {
            "dir": str(self.dir),
            "run": str(self.run),
            "log": str(self.log),
            "identity": self.identity,
            "command": ["python3", str(Path(__file__).resolve().parent / "servers.py")],
            "services": self.services,
            "chosen": self.chosen,
            "host": HOST,
            "port_base": self.port_base,
            "server_name": self.server_name,
            "password": PASSWORD,
            "ca_file": str(self.ca),
            "tls_name": "localhost",
            "synapse": synapse,
            "mail_ports": mail,
            "outside_domain": "example.org",
            "postgres": {"url": f"postgres://fehmarn@{HOST}:{self.port('postgres')}/fehmarn", "port": self.port("postgres")},
            "xmpp": self.xmpp_for_readers("prosody", "xmpp"),
            "ejabberd": self.xmpp_for_readers("ejabberd", "ejabberd"),
            "clients": {
                "node": str(self.dir / "clients" / "node"),
                # With Matrix's libraries and what drives a browser.
                "modules": str(self.dir / "clients"),
                "browser": BROWSER,
            },
            "slots": [self.slot_for_readers(slot) for slot in self.slots],
        }

    def xmpp_for_readers(self, service, ports):
        return {
            "service": service,
            "domain": XMPP_DOMAIN,
            "port": self.port(ports),
            "component_port": self.port(f"{ports}_component"),
            "http_port": self.port(f"{ports}_http"),
            # Takes components with TLS from the first byte.
            "tls_port": self.port(f"{ports}_tls"),
            "secret": self.shared_secret,
            # With slixmpp, for the people outside.
            "python": str(self.dir / "xmpp-venv" / "bin" / "python"),
        }

    def slot_for_readers(self, slot):
        return {
            **dataclasses.asdict(slot),
            "dir": str(self.slot_folder(slot)),
            "config": str(self.slot_folder(slot) / "config.yaml"),
            "registration": str(self.registration(slot)),
            "listen": f"{HOST}:{slot.ports(self.port_base)['listen_port']}",
            "xmpp_domain": self.xmpp_domain(slot),
            "imap_login": f"{slot.name}@{slot.imap_domain}" if slot.imap_domain else None,
            **slot.ports(self.port_base),
        }


def chosen_before(known):
    """What was chosen for a folder, as its servers.json has it."""
    if "chosen" in known:
        return known["chosen"]
    return None if set(FIRST_SERVICES) <= set(known["services"]) else known["services"]


def run_folder(folder, owner):
    """Where the servers that have users of their own (postfix, dovecot, postgres) keep their sockets and data.

    Below `folder`, unless these users could not get there, a socket's path would be too long, or the owner could not
    delete what is root's.
    """
    inside = folder / "run"
    reachable = all(stat.S_IMODE(os.stat(parent).st_mode) & stat.S_IXOTH for parent in folder.parents)
    if owner[0] == 0 and reachable and len(str(inside)) <= LONGEST_RUN_FOLDER:
        return inside
    return Path("/var/tmp") / ("fehmarn-" + hashlib.sha256(str(folder).encode()).hexdigest()[:10])


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
