"""ejabberd, as a second server for all that XMPP is: the same accounts, uploads, group chats and components as Prosody's.

It is started only where it is named (`--with`), as few have it installed. The tests use it in place of Prosody if
FEHMARN_TEST_XMPP says `ejabberd`. It runs as its caller, apart from one that the system has, and without a port for others
of its kind.
"""

import json
import os
import socket
from pathlib import Path

from servers import tls
from servers.plan import HOST, XMPP_DOMAIN
from servers.service import Service

LIBRARIES = Path("/usr/lib")


class Ejabberd(Service):
    name = "ejabberd"
    # On a busy machine it takes long to begin.
    patience = 240

    def configure(self):
        self.folder(self.home / "data")
        # JSON is YAML.
        self.write(self.home / "ejabberd.yml", json.dumps(self.settings(), indent=1), 0o600)

    def settings(self):
        certificate, key = tls.files(self.plan)
        slots = {self.plan.xmpp_domain(slot): {"password": self.plan.shared_secret} for slot in self.plan.slots}
        # Without the last key whoever has signed in as one of the hosts gets what is for all of them.
        components = {"ip": HOST, "module": "ejabberd_service", "access": "all", "hosts": slots, "global_routes": False}
        http = self.plan.port("ejabberd_http")
        return {
            "hosts": [XMPP_DOMAIN],
            "loglevel": "info",
            "certfiles": [str(certificate), str(key)],
            "auth_password_format": "plain",
            "registration_timeout": "infinity",
            "listen": [
                {"port": self.plan.port("ejabberd"), "ip": HOST, "module": "ejabberd_c2s", "starttls": False, "max_stanza_size": 262144},
                {"port": self.plan.port("ejabberd_component"), **components},
                {"port": self.plan.port("ejabberd_tls"), "tls": True, "certfile": self.certificate(certificate, key), **components},
                {"port": http, "ip": HOST, "module": "ejabberd_http", "request_handlers": {"/upload": "mod_http_upload"}},
            ],
            "modules": {
                "mod_caps": {},
                "mod_disco": {},
                "mod_http_upload": {
                    "access": "all", "docroot": str(self.home / "upload"), "put_url": f"http://{HOST}:{http}/upload",
                    "max_size": 20 * 1024 * 1024,
                },
                "mod_mam": {},
                "mod_muc": {
                    "access_create": "all", "access_persistent": "all", "access_mam": "all", "max_users": 500,
                    "default_room_options": {"mam": True, "allow_subscription": False},
                },
                "mod_offline": {"access_max_user_messages": "unlimited"},
                "mod_ping": {},
                "mod_pubsub": {"plugins": ["flat", "pep"]},
                "mod_register": {"ip_access": "all"},
                "mod_roster": {},
                "mod_stream_mgmt": {"resend_on_timeout": "if_offline"},
                "mod_vcard": {"search": False},
                "mod_vcard_xupdate": {},
            },
        }

    def certificate(self, certificate, key):
        """This listener wants both in one file."""
        both = self.home / "both.pem"
        self.write(both, Path(certificate).read_text() + Path(key).read_text(), 0o600)
        return str(both)

    def argv(self):
        return [
            "/usr/bin/erl", "-noinput", "-mnesia", "dir", f'"{self.home / "data"}"', "-s", "ejabberd",
        ]

    def environment(self):
        libraries = sorted(LIBRARIES.glob("*/ejabberd-*/ebin"))
        return {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "ERL_LIBS": str(libraries[-1].parent.parent) if libraries else "",
            "EJABBERD_CONFIG_PATH": str(self.home / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.plan.log / "ejabberd.own.log"),
            "ERL_CRASH_DUMP": str(self.home / "crash.dump"),
        }

    def ready(self):
        for port in ("ejabberd", "ejabberd_component", "ejabberd_http", "ejabberd_tls"):
            socket.create_connection((HOST, self.plan.port(port)), timeout=5).close()
        return True

    def where(self):
        return f"xmpp://{HOST}:{self.plan.port('ejabberd')} components on {self.plan.port('ejabberd_component')}"
