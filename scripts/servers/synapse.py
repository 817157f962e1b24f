"""Synapse on SQLite: one homeserver that federates with nobody, which knows every slot's application service."""

import base64
import json
import secrets

from servers import install, probe
from servers.plan import HOST
from servers.service import Service

NEVER = {"per_second": 100000, "burst_count": 100000}
# `rc_room_creation` stays as Synapse has it (10 rooms at once, then one a minute for each user): ordinary users of a test stay
# below, and an application service that forgot `rate_limited: false` shows.
RATE_LIMITS = {
    "rc_message": NEVER,
    "rc_registration": NEVER,
    "rc_login": {"address": NEVER, "account": NEVER, "failed_attempts": NEVER},
    "rc_joins": {"local": NEVER, "remote": NEVER},
    "rc_joins_per_room": NEVER,
    "rc_invites": {"per_room": NEVER, "per_user": NEVER, "per_issuer": NEVER},
    "rc_admin_redaction": NEVER,
    "rc_media_create": NEVER,
    "rc_presence": {"per_user": NEVER},
    "rc_profile": NEVER,
    "rc_user_directory": NEVER,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"}},
    "filters": {"context": {"()": "synapse.logging.context.LoggingContextFilter", "request": ""}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["context"], "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["out"]},
}


class Synapse(Service):
    name = "synapse"

    def configure(self):
        self.folder(self.home)
        self.make_signing_key()
        registrations = [self.plan.registration(slot) for slot in self.plan.slots]
        registrations = [path for path in registrations if path.exists()]
        for path in registrations:
            self.digest.update(path.read_bytes())
        # JSON is YAML as well.
        self.write(self.home / "homeserver.yaml", json.dumps(self.settings(registrations), indent=1), 0o600)
        self.write(self.home / "log.yaml", json.dumps(LOGGING, indent=1))

    def settings(self, registrations):
        return {
            "server_name": self.plan.server_name,
            "public_baseurl": self.plan.synapse_url + "/",
            "listeners": [{
                "type": "http", "port": self.plan.port("synapse"), "bind_addresses": [HOST], "tls": False,
                "x_forwarded": False, "resources": [{"names": ["client", "federation", "openid"], "compress": False}],
            }],
            "database": {"name": "sqlite3", "args": {"database": str(self.home / "homeserver.db")}},
            "media_store_path": str(self.home / "media"),
            "signing_key_path": str(self.home / "signing.key"),
            "pid_file": str(self.home / "homeserver.pid"),
            "log_config": str(self.home / "log.yaml"),
            "app_service_config_files": [str(path) for path in registrations],
            "registration_shared_secret": self.plan.shared_secret,
            # Loopback only: a test registers its users without ceremony.
            "enable_registration": True,
            "enable_registration_without_verification": True,
            "bcrypt_rounds": 4,
            "user_directory": {"enabled": True, "search_all_users": True},
            "url_preview_enabled": False,
            "encryption_enabled_by_default_for_room_type": "off",
            "federation_domain_whitelist": [],
            # An identity service is on this machine.
            "ip_range_whitelist": [HOST],
            "trusted_key_servers": [],
            "report_stats": False,
            # As careful homeservers have it: names are not for strangers.
            "require_auth_for_profile_requests": True,
            "macaroon_secret_key": self.plan.shared_secret,
            "form_secret": self.plan.shared_secret,
            **RATE_LIMITS,
        }

    def make_signing_key(self):
        """Synapse's own format: algorithm, name of the key, 32 bytes in base64 without padding."""
        file = self.home / "signing.key"
        if not file.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            file.write_text(f"ed25519 a_1 {seed}\n")
            file.chmod(0o600)

    def argv(self):
        config = self.home / "homeserver.yaml"
        return [install.python_of(self.plan), "-m", "synapse.app.homeserver", "--config-path", config]

    def environment(self):
        # It speaks to identity services over TLS only.
        return {"SSL_CERT_FILE": str(self.plan.ca)}

    def ready(self):
        return probe.answers_http(self.plan.port("synapse"), "/health")

    def where(self):
        return f"{self.plan.synapse_url} ({self.plan.server_name})"
