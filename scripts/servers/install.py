"""Installs what is missing: Debian packages, without letting them start anything, and what Debian has not got in folders."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers.process import Trouble

SCRIPT = Path(__file__).resolve().parent / "servers.py"
SYNAPSE_VERSION = "1.163.2"
SLIXMPP_VERSION = "1.17.0"
PACKAGES = {
    "synapse": [],
    "postfix": ["postfix"],
    "dovecot": ["dovecot-core", "dovecot-imapd", "dovecot-lmtpd"],
    "postgres": ["postgresql"],
    "prosody": ["prosody", "prosody-modules"],
    "ejabberd": ["ejabberd"],
    "web": ["nginx-light", "chromium", "fonts-dejavu-core"],
}
# For the certificate and for building Fehmarn: a linker, a C compiler for SQLite and the cryptography.
ALWAYS = ["openssl", "ca-certificates", "gcc", "libc6-dev", "pkg-config"]
# Debian starts a freshly installed server unless this file says no (exit code 101 of invoke-rc.d's policy layer).
POLICY = Path("/usr/sbin/policy-rc.d")
# Debian's PostgreSQL makes a cluster of its own unless a file in this folder says no.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/fehmarn.conf")
# Answers the one question of the packages: Postfix gets no configuration under /etc.
ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"


def everything(plan):
    missing = missing_packages(plan)
    if missing:
        timed(f"installing {' '.join(missing)}", lambda: packages(plan))
    if "synapse" in plan.services and not python_of(plan):
        timed(f"installing Synapse {SYNAPSE_VERSION}", lambda: synapse(plan))
    if {"prosody", "ejabberd"} & set(plan.services) and not (plan.dir / "xmpp-venv" / "complete").exists():
        timed(f"installing slixmpp {SLIXMPP_VERSION}", lambda: venv(plan.dir / "xmpp-venv", "slixmpp", SLIXMPP_VERSION))
    if "web" in plan.services:
        from servers import clients
        clients.ensure(plan)
    if not promtool_of(plan).exists():
        timed("fetching promtool", lambda: promtool(plan))
    return True


def promtool_of(plan):
    """Prometheus' tool for rules, which the tests of docs/alerts.yaml use."""
    return plan.dir / "prometheus" / "usr" / "bin" / "promtool"


def promtool(plan):
    """Out of Debian's package, which is unpacked and not installed: it would start a server. Without a network it is left out."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            checked(["apt-get", "download", "-q", "prometheus"], folder=folder)
            package = next(Path(folder).glob("prometheus_*.deb"))
            checked(["dpkg-deb", "--extract", package, plan.dir / "prometheus"])
            (plan.dir / "prometheus" / "usr" / "bin" / "prometheus").unlink()
        except Trouble as trouble:
            print(f"  promtool is left out: {trouble}")


def missing_packages(plan):
    names = ALWAYS + [package for service in plan.services for package in PACKAGES[service]]
    # Debian's Python comes without what makes virtual environments.
    names += ["python3-venv"] if sys.executable == "/usr/bin/python3" else []
    return [name for name in names if not is_installed(name)]


def timed(what, work):
    print(f"  {what} ...")
    began = time.monotonic()
    work()
    print(f"  done after {time.monotonic() - began:.0f} s")


def is_installed(package):
    asked = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Abbrev}", package], capture_output=True, text=True)
    return asked.stdout.startswith("ii")


def packages(plan):
    if os.geteuid() != 0:
        return checked(["sudo", sys.executable, SCRIPT, "packages", "--dir", plan.dir])
    missing = missing_packages(plan)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with only_for_now(POLICY, "#!/bin/sh\nexit 101\n", 0o755), only_for_now(NO_CLUSTER, "create_main_cluster = false\n", 0o644):
        if "postfix" in missing:
            subprocess.run(["debconf-set-selections"], input=ANSWERS, text=True, check=False)
        checked(["apt-get", "update", "-q"], environment)
        checked(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], environment)
    # Not now, and not after the next boot either.
    for package in {"postfix", "dovecot-core", "postgresql", "prosody", "ejabberd", "nginx-light"} & set(missing) if shutil.which("systemctl") else []:
        subprocess.run(["systemctl", "disable", package.removesuffix("-core").removesuffix("-light")], capture_output=True, check=False)
    return True


@contextlib.contextmanager
def only_for_now(path, text, mode):
    """A file that exists while packages are installed, unless the administrator has one there."""
    if path.exists():
        yield
        return
    made_folder = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink()
        if made_folder:
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def checked(command, environment=None, user=None, folder=None):
    """Runs a command silently; what it printed is shown only if it fails. `user` is for root only."""
    command = [str(part) for part in command]
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **identity
        )
        if done.returncode:
            output.seek(0)
            end = output.read()[-3000:].decode(errors="replace")
            raise Trouble(f"{' '.join(command[:3])} failed with code {done.returncode}:\n{end}")


def python_of(plan):
    """The Python that has Synapse: this folder's own, or the one of the tests or the demo beside it."""
    checkout = Path(__file__).resolve().parent.parent.parent
    for home in (plan.dir, checkout / "target" / "servers", checkout / ".demo"):
        venv = home / "synapse-venv"
        if (venv / "complete").exists() and (venv / "complete").read_text() == SYNAPSE_VERSION:
            return venv / "bin" / "python"
    return None


def synapse(plan):
    venv(plan.dir / "synapse-venv", "matrix-synapse", SYNAPSE_VERSION)


def venv(folder, package, version):
    shutil.rmtree(folder, ignore_errors=True)
    checked([sys.executable, "-m", "venv", str(folder)])
    checked([str(folder / "bin" / "pip"), "install", "-q", f"{package}=={version}"])
    (folder / "complete").write_text(version)
