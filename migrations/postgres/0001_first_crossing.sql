-- Only TEXT, BIGINT and BYTEA, flags as 0/1, times in milliseconds since 1970: what SQLite and PostgreSQL share.

-- The puppet users: which ghost stands for whom.
CREATE TABLE ghosts (
    mxid        TEXT   NOT NULL PRIMARY KEY,
    connector   TEXT   NOT NULL,
    remote_user TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    UNIQUE (connector, remote_user)
);

-- Staff whom the homeserver has confirmed.
CREATE TABLE users (
    mxid         TEXT   NOT NULL PRIMARY KEY,
    confirmed_at BIGINT NOT NULL
);

-- Rooms with ghosts in them. direct_user and direct_ghost are set for the direct room of that pair.
CREATE TABLE portals (
    room_id      TEXT   NOT NULL PRIMARY KEY,
    name         TEXT,
    encrypted    BIGINT NOT NULL,
    direct_user  TEXT,
    direct_ghost TEXT,
    opened_at    BIGINT NOT NULL
);
CREATE INDEX portals_direct ON portals (direct_ghost, direct_user);

-- Who is in a portal. A ghost is "invite" until it has joined and its backlog is queued, then "join".
CREATE TABLE members (
    room_id    TEXT NOT NULL,
    mxid       TEXT NOT NULL,
    membership TEXT NOT NULL,
    name       TEXT,
    PRIMARY KEY (room_id, mxid)
);
CREATE INDEX members_mxid ON members (mxid);

-- Matrix event <-> remote message, one row for each remote person.
CREATE TABLE messages (
    event_id       TEXT   NOT NULL,
    connector      TEXT   NOT NULL,
    remote_user    TEXT   NOT NULL,
    remote_message TEXT   NOT NULL,
    room_id        TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    at             BIGINT NOT NULL,
    PRIMARY KEY (event_id, connector, remote_user)
);
CREATE INDEX messages_remote ON messages (connector, remote_message);

-- How the remote side knows the conversation of a room.
CREATE TABLE threads (
    room_id   TEXT NOT NULL,
    connector TEXT NOT NULL,
    subject   TEXT,
    root      TEXT NOT NULL,
    last      TEXT NOT NULL,
    PRIMARY KEY (room_id, connector)
);

-- Matrix to remote. due_at is schedule, back-off and lease in one; ready marks the oldest live row of a lane,
-- leased one that is being worked on.
CREATE TABLE outbox (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT   NOT NULL,
    connector  TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    source_id  TEXT   NOT NULL UNIQUE,
    target     TEXT   NOT NULL,
    room_id    TEXT,
    payload    BYTEA   NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_error TEXT,
    dead       BIGINT NOT NULL,
    ready      BIGINT NOT NULL,
    leased     BIGINT NOT NULL
);
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE dead = 0;
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE ready = 1;

-- Remote to Matrix, and what Fehmarn itself has to do there.
CREATE TABLE inbox (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       TEXT   NOT NULL,
    connector  TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    source_id  TEXT   NOT NULL UNIQUE,
    target     TEXT   NOT NULL,
    room_id    TEXT,
    payload    BYTEA   NOT NULL,
    attempts   BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_error TEXT,
    dead       BIGINT NOT NULL,
    ready      BIGINT NOT NULL,
    leased     BIGINT NOT NULL
);
CREATE INDEX inbox_lane ON inbox (lane, id) WHERE dead = 0;
CREATE INDEX inbox_due ON inbox (due_at, id) WHERE ready = 1;

-- Events that wait until something is ready for them: a ghost that is still joining.
CREATE TABLE parked (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id  TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event    TEXT NOT NULL
);
CREATE INDEX parked_room ON parked (room_id, id);

-- Sources that were taken in: events and arrivals. Outlives the queue rows, so that a late repeat is recognised.
CREATE TABLE seen (
    id TEXT   NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
CREATE INDEX seen_at ON seen (at);

-- How far a remote was read.
CREATE TABLE cursors (
    connector TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (connector, name)
);
