-- What somebody has chosen; null: as it is configured. Whoever has confirmed_at 0 was not confirmed by the homeserver.
ALTER TABLE users ADD COLUMN language TEXT;

-- The rooms in which the bot and one member of staff talk.
CREATE TABLE management_rooms (
    room_id TEXT NOT NULL PRIMARY KEY,
    mxid    TEXT NOT NULL
);

-- How often somebody has done what is limited, in the last minute and in the last day in which they did it at all;
-- both counted since 1970.
CREATE TABLE spent (
    mxid      TEXT   NOT NULL,
    deed      TEXT   NOT NULL,
    minute    BIGINT NOT NULL,
    in_minute BIGINT NOT NULL,
    day       BIGINT NOT NULL,
    in_day    BIGINT NOT NULL,
    PRIMARY KEY (mxid, deed)
);

-- What came back, for those who ask.
CREATE INDEX messages_failed ON messages (room_id, at) WHERE state = 'failed';
