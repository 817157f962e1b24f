-- When a ghost's network was last asked what the person looks like, and the hash of the picture that the ghost has.
ALTER TABLE ghosts ADD COLUMN looked_up_at BIGINT;
ALTER TABLE ghosts ADD COLUMN picture TEXT;

-- Reactions of staff that people outside are shown: to which event, and by whom. A redaction does not say.
CREATE TABLE reacted (
    event_id TEXT NOT NULL PRIMARY KEY,
    target   TEXT NOT NULL,
    writer   TEXT NOT NULL,
    name     TEXT NOT NULL
);
