-- Up to where everything in a portal is known to be taken in: a place in the homeserver's own order, as its /sync and
-- /messages give it. Empty: nothing yet, since the room was made by us; null: from now on.
ALTER TABLE portals ADD COLUMN read_to TEXT;
-- When that was found out; nothing that came earlier is ever asked for again.
ALTER TABLE portals ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0;
-- When it was last read back because somebody wrote there; at most some hours before the last message.
ALTER TABLE portals ADD COLUMN active_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX portals_read ON portals (read_at);
CREATE INDEX portals_active ON portals (active_at);
