"""Somebody outside who has XMPP: one slixmpp client. It takes orders as lines of JSON on standard input, and writes what it
receives as lines of JSON on standard output.

    contact.py JID PASSWORD HOST PORT
"""

import asyncio
import collections
import json
import sys

import slixmpp
from slixmpp.jid import unescape_node
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

PLUGINS = ["xep_0030", "xep_0054", "xep_0066", "xep_0077", "xep_0115", "xep_0184", "xep_0198", "xep_0199", "xep_0203"]
RESEND_AFTER = 2


class Contact(slixmpp.ClientXMPP):
    def __init__(self, jid, password, host, port):
        super().__init__(jid + "/phone", password)
        self.place = (host, port)
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self["xep_0077"].force_registration = True
        self["feature_mechanisms"].unencrypted_plain = self["feature_mechanisms"].unencrypted_scram = True
        self.enable_direct_tls = self.enable_starttls = False
        self.enable_plaintext = True
        self.auto_authorize = self.auto_subscribe = True
        # What has to arrive, in order: the first is sent again, with the same id, until there is a receipt for it.
        self.surely = collections.deque()
        self.online = False
        # The group chats that it goes into, and comes back to.
        self.rooms = []
        self.add_event_handler("register", self.sign_up)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("disconnected", self.lost)
        for kind in ("message", "presence", "iq"):
            name = f"{{{self.default_ns}}}{kind}"
            self.register_handler(Callback("tell " + kind, MatchXPath(name), self.tell))

    def connect_now(self):
        self.connect(*self.place)

    async def sign_up(self, _):
        request = self.Iq()
        request["type"] = "set"
        request["register"]["username"] = self.boundjid.user
        request["register"]["password"] = self.password
        try:
            await request.send()
        except slixmpp.exceptions.IqError as error:
            say(note="sign up", text=str(error))
        self["xep_0077"].force_registration = False

    async def started(self, _):
        self.send_presence()
        await self.get_roster()
        self.online = True
        for presence in self.rooms:
            self.send_raw(presence)
        say(ready=True)

    def lost(self, _):
        self.online = False
        self.loop.call_later(0.5, self.connect_now)

    def tell(self, stanza):
        xml = stanza.xml
        receipt = xml.find("{urn:xmpp:receipts}received")
        # A group chat says to who has spoken what it has told to all.
        proof = receipt.get("id") if receipt is not None else xml.get("id") if xml.get("type") == "groupchat" else None
        if self.surely and self.surely[0][0] == proof:
            self.surely.popleft()
            self.send_first()
        body = xml.findtext("{jabber:client}body")
        address = (xml.get("from") or "").split("/")[0]
        localpart = address.split("@")[0] if "@" in address else ""
        delay = stanza["delay"]["stamp"] if stanza.name == "message" else None
        say(stanza=xml.tag.split("}")[1], type=xml.get("type"), sender=xml.get("from"), id=xml.get("id"), body=body,
            name=localpart and unescape_node(localpart), delayed=delay.isoformat() if delay else None,
            xml=ET.tostring(xml, encoding="unicode"))

    def send_first(self):
        if self.surely and self.online:
            self.send_raw(self.surely[0][1])

    async def resend(self):
        while True:
            before = self.surely[0][0] if self.surely else None
            await asyncio.sleep(RESEND_AFTER)
            if self.surely and self.surely[0][0] == before:
                self.send_first()

    async def obey(self, order):
        what = order.pop("do")
        if what == "send":
            self.send_raw(order["xml"])
        elif what == "enter":
            self.rooms.append(order["xml"])
            self.send_raw(order["xml"])
        elif what == "capabilities":
            # What it has found under the hash in a presence, and has held against that hash.
            known = await self["xep_0115"].get_caps(order["jid"])
            say(capabilities=order["jid"], features=sorted(known["features"]) if known is not None else [])
        elif what == "surely":
            self.surely.append((order["id"], order["xml"]))
            if len(self.surely) == 1:
                self.send_first()


def say(**what):
    print(json.dumps(what), flush=True)


async def main():
    jid, password, host, port = sys.argv[1:]
    contact = Contact(jid, password, host, int(port))
    contact.connect_now()
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    resending = asyncio.create_task(contact.resend())
    while line := await lines.readline():
        try:
            await contact.obey(json.loads(line))
        except Exception as error:
            say(note="failed", text=repr(error))
    resending.cancel()


asyncio.run(main())
