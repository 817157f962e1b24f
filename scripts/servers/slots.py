"""The application services that Synapse knows: one for each test that runs at the same time, or the demo's one."""

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
                raise Trouble("new slots need --fehmarn, which writes their registration files; or say --slots 0")
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
