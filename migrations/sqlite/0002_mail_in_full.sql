-- Each Matrix thread is a conversation of its own: thread is the event at its root, or empty. previous is what was
-- last before last: a second recipient of the newest message is still to be told what it follows.
CREATE TABLE threads_2 (
    room_id   TEXT NOT NULL,
    thread    TEXT NOT NULL,
    connector TEXT NOT NULL,
    subject   TEXT,
    root      TEXT NOT NULL,
    last      TEXT NOT NULL,
    previous  TEXT,
    PRIMARY KEY (room_id, connector, thread)
);
INSERT INTO threads_2 (room_id, thread, connector, subject, root, last)
    SELECT room_id, '', connector, subject, root, last FROM threads;
DROP TABLE threads;
ALTER TABLE threads_2 RENAME TO threads;

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
