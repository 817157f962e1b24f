"""The staff member's client: the few requests of the client-server API that a conversation needs."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from demo_play.world import GHOST, NAME, PASSWORD, USER, USER_ID
from servers.process import Trouble

# Always the same, so that the account does not collect devices.
DEVICE = "DEMO"
# No proxy between this machine and itself.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Client:
    def __init__(self, url):
        self.url, self.token = url, None

    def log_in(self):
        """As the staff member, who is registered at the first time."""
        who = {"type": "m.id.user", "user": USER}
        login = {"type": "m.login.password", "identifier": who, "password": PASSWORD, "device_id": DEVICE}
        try:
            self.token = self.call("POST", "login", login)["access_token"]
        except Refused:
            dummy = {"type": "m.login.dummy"}
            account = {"username": USER, "password": PASSWORD, "device_id": DEVICE, "auth": dummy}
            self.token = self.call("POST", "register", account)["access_token"]
            self.call("PUT", f"profile/{quoted(USER_ID)}/displayname", {"displayname": NAME})

    def direct_room(self):
        """The room with the person outside, as a client finds it: known as direct, and still joined. Else a new one."""
        account = f"user/{quoted(USER_ID)}/account_data/m.direct"
        try:
            direct = self.call("GET", account)
        except Refused:
            direct = {}
        joined = self.call("GET", "joined_rooms")["joined_rooms"]
        for room in direct.get(GHOST, []):
            if room in joined:
                return room, False
        wanted = {"preset": "trusted_private_chat", "is_direct": True, "invite": [GHOST]}
        room = self.call("POST", "createRoom", wanted)["room_id"]
        self.call("PUT", account, {**direct, GHOST: [*direct.get(GHOST, []), room]})
        return room, True

    def say(self, room, text):
        content = {"msgtype": "m.text", "body": text}
        self.call("PUT", f"rooms/{quoted(room)}/send/m.room.message/{uuid.uuid4().hex}", content)

    def now(self):
        """A place in the stream of events; what comes later comes after it."""
        return self.call("GET", 'sync?timeout=0&filter={"room":{"timeline":{"limit":1}}}'.replace('"', "%22"))["next_batch"]

    def wait_for(self, room, sender, since, seconds):
        """The next message of `sender` in `room`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self.call("GET", f"sync?timeout=1000&since={quoted(since)}")
            since = answer["next_batch"]
            timeline = answer.get("rooms", {}).get("join", {}).get(room, {}).get("timeline", {}).get("events", [])
            for event in timeline:
                if event["type"] == "m.room.message" and event["sender"] == sender:
                    return event
        raise Trouble(f"nothing came from {sender} within {seconds} s")

    def messages(self, room, count):
        """The last messages of the room, oldest first."""
        only = quoted('{"types":["m.room.message"]}')
        return self.call("GET", f"rooms/{quoted(room)}/messages?dir=b&limit={count}&filter={only}")["chunk"][::-1]

    def display_name(self, user):
        try:
            return self.call("GET", f"profile/{quoted(user)}/displayname").get("displayname") or user
        except Refused:
            return user

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"{self.url}/_matrix/client/v3/{path}", method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(f"the homeserver refused {method} {path.split('?')[0]}: {error.code} {error.read(500)!r}") from None
        except OSError as error:
            raise Trouble(f"the homeserver at {self.url} does not answer: {error}") from None


class Refused(Trouble):
    pass


def quoted(text):
    return urllib.parse.quote(text, safe="")
