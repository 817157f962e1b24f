// A room as the library has it for a client to show: names, order, edits, reactions and receipts are of its making.

const STATE = "com.beeper.message_send_status";

export function showRoom(client, id) {
    const room = client.getRoom(id);
    if (!room) {
        return null;
    }
    const events = room.getLiveTimeline().getEvents();
    const states = latestStates(events);
    const show = (event) => showEvent(room, event, states);
    return {
        name: room.name,
        topic: room.currentState.getStateEvents("m.room.topic", "")?.getContent().topic ?? null,
        membership: room.getMyMembership(),
        version: room.getVersion(),
        successor: room.currentState.getStateEvents("m.room.tombstone", "")?.getContent().replacement_room ?? null,
        encrypted: room.hasEncryptionStateEvent(),
        members: Object.fromEntries(room.getMembers().map((member) => [
            member.userId,
            { name: member.name, membership: member.membership, avatar: member.getMxcAvatarUrl() ?? null, typing: member.typing },
        ])),
        messages: events.filter(isMessage).map(show),
        threads: Object.fromEntries(room.getThreads().map((thread) => [
            thread.id, thread.events.filter((event) => isMessage(event) && event.getId() !== thread.id).map(show),
        ])),
    };
}

const isMessage = (event) => !event.isState() && !event.isRelation("m.replace") && !event.isRelation("m.annotation")
    && event.getType() !== "m.room.redaction" && event.getType() !== STATE;

function latestStates(events) {
    const latest = {};
    for (const event of events.filter((event) => event.getType() === STATE)) {
        const content = event.getContent();
        latest[content["m.relates_to"]?.event_id] = { status: content.status, message: content.message ?? null };
    }
    return latest;
}

function showEvent(room, event, states) {
    const content = event.getContent();
    return {
        id: event.getId(),
        type: event.getType(),
        sender: event.getSender(),
        sender_name: event.sender?.name ?? null,
        msgtype: content.msgtype ?? null,
        body: content.body ?? null,
        html: content.formatted_body ?? null,
        content,
        replies_to: event.replyEventId ?? null,
        edited: event.replacingEventId() !== undefined,
        redacted: event.isRedacted(),
        unreadable: event.isDecryptionFailure(),
        reactions: reactions(room, event),
        read_by: room.getUsersReadUpTo(event),
        // What became of it, as Fehmarn says; and as the client knows whether it has left.
        state: states[event.getId()] ?? null,
        unsent: event.status !== null,
    };
}

function reactions(room, event) {
    const relations = room.relations.getChildEventsForEvent(event.getId(), "m.annotation", "m.reaction");
    const sorted = relations?.getSortedAnnotationsByKey() ?? [];
    return Object.fromEntries(sorted.map(([key, events]) => [key, [...events].map((event) => event.getSender())])
        .filter(([, senders]) => senders.length));
}
