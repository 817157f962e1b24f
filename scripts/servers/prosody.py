"""Prosody: accounts at xmpp.test, an upload service, group chats, and one component for each slot.

Clients may sign in without TLS, as everything is on loopback. Accounts are made by signing up. Components may come with
TLS or without. Other servers are looked for, and none is found: an address at 127.0.0.1 needs no name server for that.
"""

import socket

from servers import tls
from servers.plan import HOST, XMPP_DOMAIN
from servers.service import Service

COMMON = """
run_as_root = true
daemonize = false
pidfile = "{home}/prosody.pid"
data_path = "{home}/data"
admin_socket = "{home}/prosody.sock"
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
interfaces = {{ "{host}" }}
local_interfaces = {{ "{host}" }}
c2s_ports = {{ {c2s} }}
c2s_direct_tls_ports = {{ }}
s2s_ports = {{ }}
component_ports = {{ {component} }}
component_interfaces = {{ "{host}" }}
http_ports = {{ {http} }}
http_interfaces = {{ "{host}" }}
https_ports = {{ }}
ssl_ports = {{ {tls} }}
ssl = {{ certificate = "{certificate}", key = "{key}" }}
modules_enabled = {{ "roster", "saslauth", "disco", "pep", "vcard_legacy", "ping", "smacks", "offline", "register_ibr", "net_multiplex", "admin_shell" }}
modules_disabled = {{ "tls" }}
allow_registration = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
VirtualHost "{domain}"
  http_host = "{host}"
Component "upload.{domain}" "http_file_share"
  http_host = "{host}"
  http_external_url = "http://{host}:{http}/"
  http_file_share_size_limit = 20 * 1024 * 1024
  http_file_share_access = {{ {quoted} }}
Component "conference.{domain}" "muc"
  modules_enabled = {{ "muc_mam", "muc_moderation" }}
"""

SLOT = """Component "{domain}"
  component_secret = "{secret}"
"""


class Prosody(Service):
    name = "prosody"
    pid_files = ("prosody.pid",)

    def configure(self):
        self.folder(self.home / "data")
        slots = [self.plan.xmpp_domain(slot) for slot in self.plan.slots]
        quoted = ", ".join(f'"{domain}"' for domain in [XMPP_DOMAIN, *slots])
        certificate, key = tls.files(self.plan)
        text = COMMON.format(
            home=self.home, host=HOST, domain=XMPP_DOMAIN, quoted=quoted, c2s=self.plan.port("xmpp"),
            component=self.plan.port("xmpp_component"), http=self.plan.port("xmpp_http"),
            tls=self.plan.port("xmpp_tls"), certificate=certificate, key=key,
        )
        text += "".join(SLOT.format(domain=domain, secret=self.plan.shared_secret) for domain in slots)
        self.write(self.home / "prosody.cfg.lua", text, 0o600)

    def argv(self):
        return ["/usr/bin/prosody", "-F", "--config", self.home / "prosody.cfg.lua"]

    def ready(self):
        for port in ("xmpp", "xmpp_component", "xmpp_http", "xmpp_tls"):
            socket.create_connection((HOST, self.plan.port(port)), timeout=5).close()
        return True

    def where(self):
        return f"xmpp://{HOST}:{self.plan.port('xmpp')} components on {self.plan.port('xmpp_component')}"
