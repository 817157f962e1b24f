-- Whole messages of which an event shows only a part, for whoever asks to see all of it.
CREATE TABLE originals (
    event_id   TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    media_type TEXT   NOT NULL,
    bytes      BLOB   NOT NULL
);
