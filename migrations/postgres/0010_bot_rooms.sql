-- Up to where the rooms in which the bot talks with somebody were read back: as of portals.
ALTER TABLE management_rooms ADD COLUMN read_to TEXT;
ALTER TABLE management_rooms ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE management_rooms ADD COLUMN active_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX management_rooms_read ON management_rooms (read_at);
CREATE INDEX management_rooms_active ON management_rooms (active_at);
CREATE INDEX management_rooms_mxid ON management_rooms (mxid);
