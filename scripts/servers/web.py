"""nginx, as it stands before Fehmarn and Synapse in an office: one HTTPS server for each slot. Serves a web client as well.

What it passes on where is what docs/clients.md tells administrators to set up.
"""

import json
import os

from servers import clients, probe, tls
from servers.plan import HOST
from servers.service import Service

MAIN = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 50m;
    types {{
        text/html html;
        text/css css;
        text/javascript js;
        application/wasm wasm;
        image/svg+xml svg;
        font/woff2 woff2;
    }}
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
{servers}}}
"""

SLOT = """    server {{
        listen {host}:{front} ssl;
        location = /.well-known/matrix/client {{
            default_type application/json;
            add_header Access-Control-Allow-Origin *;
            return 200 '{well_known}';
        }}
        location /_matrix/identity/ {{ proxy_pass http://{host}:{clients}; }}
        location ~ ^/_matrix/client/(v3|r0)/user_directory/search$ {{ proxy_pass http://{host}:{clients}; }}
        location /_matrix/ {{ proxy_pass {synapse}; }}
        location / {{ root {pages}; }}
    }}
"""


class Web(Service):
    name = "web"
    pid_files = ("nginx.pid",)

    def configure(self):
        self.folder(self.home)
        certificate, key = tls.files(self.plan)
        self.write(self.home / "nginx.conf", MAIN.format(
            home=self.home, certificate=certificate, key=key, servers="".join(map(self.server, self.plan.slots)),
            # The pages may lie where nobody else can read them.
            user="user root;" if os.geteuid() == 0 else "",
        ))

    def server(self, slot):
        ports = slot.ports(self.plan.port_base)
        here = {"base_url": front(slot, self.plan)}
        well_known = {"m.homeserver": here, "m.identity_server": here, "io.element.e2ee": {"default": False}}
        return SLOT.format(
            host=HOST, front=ports["front_port"], clients=ports["clients_port"], synapse=self.plan.synapse_url,
            pages=clients.pages(self.plan), well_known=json.dumps(well_known),
        )

    def argv(self):
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", self.home, "-c", self.home / "nginx.conf"]

    def ready(self):
        ports = [slot.ports(self.plan.port_base)["front_port"] for slot in self.plan.slots]
        return all(probe.answers_http(port, "/.well-known/matrix/client", self.plan.ca) for port in ports[:1])

    def where(self):
        return " ".join(front(slot, self.plan) for slot in self.plan.slots[:1]) or "no slots"


def front(slot, plan):
    """What clients of a slot call their homeserver, its identity server and the page of the web client."""
    return f"https://localhost:{slot.ports(plan.port_base)['front_port']}"
