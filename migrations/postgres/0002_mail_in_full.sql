-- Each Matrix thread is a conversation of its own: thread is the event at its root, or empty. previous is what was
-- last before last: a second recipient of the newest message is still to be told what it follows.
ALTER TABLE threads ADD COLUMN thread TEXT NOT NULL DEFAULT '';
ALTER TABLE threads ADD COLUMN previous TEXT;
ALTER TABLE threads DROP CONSTRAINT threads_pkey;
ALTER TABLE threads ADD PRIMARY KEY (room_id, connector, thread);

-- In which Matrix thread an event stands.
ALTER TABLE messages ADD COLUMN thread TEXT NOT NULL DEFAULT '';

-- Reactions of staff that wait for the next message to that person.
CREATE TABLE reactions (
    event_id    TEXT   NOT NULL,
    connector   TEXT   NOT NULL,
    remote_user TEXT   NOT NULL,
    room_id     TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    emoji       TEXT   NOT NULL,
    writer      TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (event_id, connector, remote_user)
);
CREATE INDEX reactions_room ON reactions (room_id);

-- What is known of the programs of people outside.
CREATE TABLE peers (
    connector       TEXT   NOT NULL,
    remote_user     TEXT   NOT NULL,
    shows_reactions BIGINT NOT NULL,
    PRIMARY KEY (connector, remote_user)
);

-- What was given up is changed or taken back like what waits.
CREATE INDEX outbox_dead ON outbox (lane, id) WHERE dead = 1;
