-- The notice that says how it stands with a message that is in trouble; a later word takes the place of an earlier one.
CREATE TABLE notices (
    event_id    TEXT   NOT NULL,
    connector   TEXT   NOT NULL,
    remote_user TEXT   NOT NULL,
    notice_id   TEXT   NOT NULL,
    speaker     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (event_id, connector, remote_user)
);
CREATE INDEX notices_notice ON notices (notice_id);
CREATE INDEX notices_at ON notices (at);

-- Whether the bot is in a portal; null: nobody has tried to bring it in.
ALTER TABLE portals ADD COLUMN bot_is_in BIGINT;
-- The room that has taken the place of this one.
ALTER TABLE portals ADD COLUMN successor TEXT;
CREATE INDEX portals_successor ON portals (successor) WHERE successor IS NOT NULL;
