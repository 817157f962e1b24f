"""Dovecot: every address of example.org is a mailbox, and each slot has one mailbox for all of its domain.

IMAP logins are whole addresses, every password is the same.
"""

import pwd
import subprocess

from servers import probe, tls
from servers.plan import HOST, PASSWORD
from servers.service import Service

# A mail keeps its true recipient in Delivered-To, also in a mailbox that takes a whole domain.
COMMON = """
base_dir = {home}/run
state_dir = {home}/state
log_path = /dev/stderr
listen = {host}
protocols = imap lmtp
auth_mechanisms = plain login
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = {uid}
first_valid_gid = {gid}
recipient_delimiter = +
lmtp_hdr_delivery_address = final
mail_max_userip_connections = 500
auth_failure_delay = 0
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  unix_listener {home}/auth-for-postfix {{
    mode = 0666
  }}
}}
"""

VERSION_2_3 = """
disable_plaintext_auth = no
auth_username_format = %Lu
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = home={home}/mail/%Ld/%{{if;%Ld;*;*.imap.test;everybody;%Ln}} allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""

VERSION_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
auth_username_format = %{{user | lower}}
ssl = yes
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
mail_driver = maildir
mail_path = ~/Maildir
mail_home = {home}/mail/%{{user | domain}}/%{{user | regexp('^.*@.*\\\\.imap\\\\.test$', 'everybody@') | username}}
passdb static {{
  password = {password}
}}
userdb static {{
  allow_all_users = yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""


class Dovecot(Service):
    name = "dovecot"
    needs_root = True
    pid_files = ("run/master.pid",)

    def configure(self):
        # Debian's user for mailboxes.
        mail = pwd.getpwnam("mail")
        self.folder(self.home)
        self.folder(self.home / "state")
        self.folder(self.home / "mail", "mail", "mail")
        certificate, key = tls.files(self.plan)
        values = {
            "home": self.home, "host": HOST, "uid": mail.pw_uid, "gid": mail.pw_gid, "password": PASSWORD,
            "certificate": certificate, "key": key, **{name: self.plan.port(name) for name in ("imap", "imaps", "lmtp")},
        }  # fmt: skip
        # 2.4 wants its own version number first.
        parts = [VERSION_2_4, COMMON] if version() >= (2, 4) else [COMMON, VERSION_2_3]
        self.write(self.home / "dovecot.conf", "".join(parts).format(**values))

    def argv(self):
        return ["/usr/sbin/dovecot", "-F", "-c", self.home / "dovecot.conf"]

    def ready(self):
        port, ca = self.plan.port, self.plan.ca
        return (
            probe.greets(port("imap"), b"* OK")
            and probe.greets(port("imaps"), b"* OK", ca)
            and probe.greets(port("lmtp"), b"220")
            and (self.home / "auth-for-postfix").exists()
        )

    def where(self):
        return f"imap {HOST}:{self.plan.port('imap')}, imaps {self.plan.port('imaps')}, lmtp {self.plan.port('lmtp')}"


def version():
    text = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True).stdout
    return tuple(int(part) for part in text.split()[0].split(".")[:2])
