"""The mailbox of the person outside, as an ordinary mail program uses it: IMAP to read, SMTP to write."""

import email.policy
import email.utils
import imaplib
import smtplib
import textwrap
import time
from email.message import EmailMessage

from demo_play.world import DOMAIN, NAME, OUTSIDE, OUTSIDE_NAME, PASSWORD, USER
from servers.plan import HOST
from servers.process import Trouble


class Mailbox:
    """Connects anew for each question: a mailbox shows new mail only after a while otherwise."""

    def __init__(self, plan):
        self.plan = plan

    def newest(self, count):
        """The last mails, oldest first."""
        return self.fetch(lambda uids: uids[-count:])

    def next_uid(self):
        """Mail that comes from now on has this number or a higher one."""
        return max((uid for uid, _ in self.newest(1)), default=0) + 1

    def wait_for(self, first_uid, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for _, mail in self.fetch(lambda uids: [uid for uid in uids if uid >= first_uid]):
                return mail
            time.sleep(0.2)
        raise Trouble(f"no mail came to {OUTSIDE} within {seconds} s")

    def fetch(self, choose):
        try:
            with imaplib.IMAP4(HOST, self.plan.port("imap"), timeout=10) as box:
                box.login(OUTSIDE, PASSWORD)
                box.select(readonly=True)
                uids = [int(uid) for uid in box.uid("search", "ALL")[1][0].split()]
                return [(uid, parsed(box.uid("fetch", str(uid), "(BODY.PEEK[])")[1][0][1])) for uid in choose(sorted(uids))]
        except (OSError, imaplib.IMAP4.error) as error:
            raise Trouble(f"the mailbox of {OUTSIDE} does not answer: {error}") from None

    def send(self, text, answered=None):
        """Writes to the staff member: an answer as mail programs make it, the old text quoted below; else a new mail."""
        mail = EmailMessage(policy=email.policy.SMTP.clone(max_line_length=200))
        mail["From"] = email.utils.formataddr((OUTSIDE_NAME, OUTSIDE))
        mail["Date"] = email.utils.localtime()
        mail["Message-ID"] = email.utils.make_msgid(domain="example.org")
        if answered is None:
            mail["To"] = email.utils.formataddr((NAME, f"{USER}@{DOMAIN}"))
            mail["Subject"] = "Eine Frage"
            mail.set_content(text + "\n")
        else:
            mail["To"] = answered["Reply-To"] or answered["From"]
            subject = answered["Subject"] or ""
            mail["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}"
            mail["In-Reply-To"] = answered["Message-ID"]
            mail["References"] = " ".join(filter(None, [answered["References"], answered["Message-ID"]]))
            mail.set_content(f"{text}\n\n{attribution(answered)}\n{quotation(answered)}\n")
        with smtplib.SMTP(HOST, self.plan.port("smtp"), timeout=10) as server:
            server.send_message(mail)
        return mail


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def body(mail):
    """The text that a person reads first."""
    part = mail.get_body(("plain", "html"))
    return part.get_content().strip() if part else ""


def header_lines(mail):
    return "\n".join(f"{name + ':':<9}{mail[name]}" for name in ("From", "To", "Subject"))


def attribution(mail):
    when = email.utils.parsedate_to_datetime(mail["Date"]).astimezone()
    name = email.utils.parseaddr(mail["From"])[0] or mail["From"]
    return f"Am {when:%d.%m.%y} um {when:%H:%M} schrieb {name}:"


def quotation(mail):
    lines = [part for line in body(mail).splitlines() for part in textwrap.wrap(line, 70) or [""]]
    return "\n".join(f"> {line}".rstrip() for line in lines)
