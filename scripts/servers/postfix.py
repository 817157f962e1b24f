"""Postfix: takes mail from the people outside and from Fehmarn, and routes only to this machine.

The system's configuration in /etc/postfix plays no part: Postfix's `master` is started directly, with a folder of its own.
"""

from servers import probe, tls
from servers.plan import HOST
from servers.service import Service

MAIN = """
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {log}
maillog_file_prefixes = {log_folder}
myhostname = mail.example.org
myorigin = example.org
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {host}
inet_protocols = ipv4
smtp_dns_support_level = disabled
lmtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
alias_maps =
notify_classes =
biff = no
recipient_delimiter = +
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
# These begin with the time: they tell a test in which order mails were accepted. Delivery has no order.
enable_long_queue_ids = yes

# Every recipient that is routed below exists; everything else is refused.
transport_maps = texthash:{etc}/transport
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = static:all
virtual_transport = error:5.4.4 no route
relay_domains =
local_transport = error:5.1.1 there are no local users
relay_transport = error:5.4.4 no mail leaves this machine
default_transport = error:5.4.4 no mail leaves this machine
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{etc}/recipients, permit

smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtp_tls_security_level = none
lmtp_tls_security_level = none
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0

# A real server waits minutes and hours; a test that waits for the second try should not.
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 3s
maximal_queue_lifetime = 1h
bounce_queue_lifetime = 1h
smtp_connection_cache_on_demand = no
lmtp_connection_cache_on_demand = no
catchall_destination_recipient_limit = 1
"""

MASTER = """
{host}:{smtp} inet n - n - - smtpd
{old_host}:{smtp} inet n - n - - smtpd
  -o smtpd_discard_ehlo_keywords=smtputf8
{host}:{submission} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
{host}:{smtps} inet n - n - - smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
pickup unix n - n 60 1 pickup
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
catchall unix - - n - - lmtp flags=O
nobody unix - n n - - pipe
  user=nobody argv=/bin/sh -c {{echo This mailbox does not exist. >&2; exit 67}}
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# People outside whose server is never content.
REFUSED = {
    "reject@example.org": "550 5.1.1 no such user here",
    "full@example.org": "452 4.2.2 mailbox full",
    "greylist@example.org": "450 4.7.1 greylisted, please try again later",
}
# Taken at first, and then returned with a report by Postfix.
BOUNCED = "bounce@example.org"


# Here Postfix is as old as most servers are: it knows no addresses with letters beyond ASCII.
OLD_HOST = "127.0.0.2"
# A domain with such letters, müller.example: servers know only this form of it.
IDN_DOMAIN = "xn--mller-kva.example"


class Postfix(Service):
    name = "postfix"
    needs_root = True

    def configure(self):
        self.make_folders()
        etc, routes = self.home / "etc", self.routes()
        certificate, key = tls.files(self.plan)
        self.write(etc / "transport", table(routes))
        self.write(etc / "recipients", table(REFUSED))
        self.write(etc / "main.cf", MAIN.format(
            queue=self.home / "queue", data=self.home / "data", etc=etc, host=HOST, certificate=certificate, key=key,
            log=self.plan.log / "postfix.log", log_folder=self.plan.log,
            domains=", ".join(key for key in routes if "@" not in key),
            auth=self.plan.run / "dovecot" / "auth-for-postfix",
        ))
        ports = {name: self.plan.port(name) for name in ("smtp", "submission", "smtps")}
        self.write(etc / "master.cf", MASTER.format(host=HOST, old_host=OLD_HOST, **ports))

    def routes(self):
        """Which transport takes which domain or address."""
        dovecot = f"inet:{HOST}:{self.plan.port('lmtp')}"
        routes = {BOUNCED: "nobody:", "example.org": f"lmtp:{dovecot}", IDN_DOMAIN: f"lmtp:{dovecot}"}
        for slot in self.plan.slots:
            routes[slot.domain] = f"lmtp:inet:{HOST}:{slot.ports(self.plan.port_base)['lmtp_port']}"
            if slot.imap_domain:
                routes[slot.imap_domain] = f"catchall:{dovecot}"
        return routes

    def make_folders(self):
        """What `postfix start` would make; it is not used, as it wants a configuration in /etc."""
        queue = self.home / "queue"
        self.folder(self.home)
        self.folder(self.home / "data", "postfix", "root", 0o700)
        self.folder(queue)
        self.folder(queue / "pid")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"):
            self.folder(queue / name, "postfix", "root", 0o700)
        self.folder(queue / "maildrop", "postfix", "postdrop", 0o730)
        self.folder(queue / "public", "postfix", "postdrop", 0o710)

    def argv(self):
        return ["/usr/lib/postfix/sbin/master", "-d", "-c", self.home / "etc"]

    def environment(self):
        return {"MAIL_CONFIG": str(self.home / "etc")}

    def ready(self):
        return all(probe.greets(self.plan.port(name), b"220") for name in ("smtp", "submission"))

    def where(self):
        port = self.plan.port
        return f"smtp {HOST}:{port('smtp')}, submission {port('submission')}, smtps {port('smtps')}"


def table(rows):
    return "".join(f"{key}\t{value}\n" for key, value in rows.items())
