-- Which edit of an event somebody outside was last sent. Not there: the event's first words.
CREATE TABLE versions (
    event_id    TEXT NOT NULL,
    connector   TEXT NOT NULL,
    remote_user TEXT NOT NULL,
    version     TEXT NOT NULL,
    PRIMARY KEY (event_id, connector, remote_user)
);
