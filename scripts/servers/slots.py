"""The application services that Synapse knows: one for each test that runs at the same time, or the demo's one."""

import secrets
import shutil
import subprocess

from servers.install import checked
from servers.plan import HOST
from servers.process import Trouble


def ensure(plan, fehmarn):
    """Lets Fehmarn itself write the files of each slot that has none."""
    for slot in plan.slots:
        if not plan.registration(slot).exists():
            if fehmarn is None:
                by_hand(plan, slot)
                continue
            init(plan, slot, fehmarn)


def init(plan, slot, fehmarn):
    folder, ports = plan.slot_folder(slot), slot.ports(plan.port_base)
    command = [fehmarn.absolute(), "init", "--dir", folder, "--homeserver", plan.synapse_url, "--server-name", plan.server_name,
               "--listen", f"{HOST}:{ports['listen_port']}", "--domain", slot.domain]  # fmt: skip
    if slot.prefix:
        command += ["--prefix", slot.prefix]
    checked(command)
    if not plan.registration(slot).exists():
        raise Trouble(f"{fehmarn} init wrote no {plan.registration(slot)}")


def wipe(plan):
    for slot in plan.slots:
        shutil.rmtree(plan.slot_folder(slot), ignore_errors=True)


def by_hand(plan, slot):
    folder, prefix = plan.slot_folder(slot), slot.prefix or "_"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text("{}\n")
    plan.registration(slot).write_text(f"""id: {slot.name}
url: "http://{HOST}:{slot.ports(plan.port_base)['listen_port']}"
as_token: {secrets.token_hex(16)}
hs_token: {secrets.token_hex(16)}
sender_localpart: {secrets.token_hex(8)}
rate_limited: false
receive_ephemeral: true
io.element.msc4190: true
namespaces:
  users:
    - {{exclusive: true, regex: "@{prefix}email_.*:{plan.server_name}"}}
    - {{exclusive: true, regex: "@{prefix}bot:{plan.server_name}"}}
""")
