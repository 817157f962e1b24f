// Somebody of the staff whose client is built with matrix-js-sdk: does what it is told, and shows what its user would see.
//
//     library.mjs URL USER PASSWORD [encrypting]

import { load } from "./modules.mjs";
import { obey } from "./orders.mjs";
import { showRoom } from "./shown.mjs";
import { signInToIdentityService, startChat } from "./typed.mjs";

const [url, user, password, encrypting] = process.argv.slice(2);
if (encrypting) {
    await load("fake-indexeddb/auto");
}
const sdk = await load("matrix-js-sdk");
const { PollStartEvent } = await load("matrix-js-sdk/lib/extensible_events_v1/PollStartEvent.js");

async function signIn() {
    // The homeserver's and the identity server's address, as every client finds them.
    const found = await sdk.AutoDiscovery.findClientConfig(new URL(url).host);
    const [homeserver, identity] = [found["m.homeserver"], found["m.identity_server"]];
    if (homeserver.state !== "SUCCESS") {
        throw new Error(JSON.stringify(found));
    }
    const baseUrl = homeserver.base_url;
    const identifier = { type: "m.id.user", user };
    const signed = await sdk.createClient({ baseUrl }).loginRequest({ type: "m.login.password", identifier, password });
    const tokens = {};
    const client = sdk.createClient({
        baseUrl,
        // Empty where Fehmarn serves no clients.
        idBaseUrl: identity.state === "SUCCESS" ? identity.base_url : undefined,
        identityServer: { getAccessToken: async () => tokens.identity },
        userId: signed.user_id,
        deviceId: signed.device_id,
        accessToken: signed.access_token,
        timelineSupport: true,
    });
    if (encrypting) {
        await client.initRustCrypto({ useIndexedDB: false });
    }
    await client.startClient({ initialSyncLimit: 50, threadSupport: true });
    await new Promise((ready) => client.on("sync", (state) => state === "PREPARED" && ready()));
    return { client, tokens };
}

const { client, tokens } = await signIn();

await obey({
    ready: () => client.getUserId(),
    /// Any method of the library's client.
    call: ({ method, args }) => client[method](...args),
    async join({ room }) {
        await client.joinRoom(room);
    },
    show: ({ room }) => showRoom(client, room),
    /// The rooms that a list of rooms has.
    rooms: () => client.getVisibleRooms().map((room) => ({
        id: room.roomId, name: room.name, membership: room.getMyMembership(), invited_by: room.getDMInviter() ?? null,
    })),
    async identity() {
        tokens.identity = await signInToIdentityService(sdk, client);
    },
    chat: ({ address }) => startChat(client, address, tokens.identity),
    /// A poll as the library makes it.
    poll({ room, question, answers }) {
        const poll = PollStartEvent.from(question, answers, "org.matrix.msc3381.poll.disclosed").serialize();
        return client.sendEvent(room, poll.type, poll.content);
    },
    place: ({ room, words, uri }) => client.sendMessage(room, sdk.ContentHelpers.makeLocationContent(words, uri, 0)),
    /// A file: its bytes in base64, and all of its message but the link.
    async file({ room, bytes, type, content }) {
        const { content_uri } = await client.uploadContent(Buffer.from(bytes, "base64"), { type, name: content.body });
        return client.sendMessage(room, { ...content, url: content_uri });
    },
    edit: ({ room, event, words }) => {
        const content = { msgtype: "m.text", body: words };
        const relation = { rel_type: "m.replace", event_id: event };
        return client.sendMessage(room, { ...content, body: `* ${words}`, "m.new_content": content, "m.relates_to": relation });
    },
    reply: ({ room, event, words }) =>
        client.sendMessage(room, { msgtype: "m.text", body: words, "m.relates_to": { "m.in_reply_to": { event_id: event } } }),
});
