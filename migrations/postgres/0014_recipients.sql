-- How many people were to get what the event says, over all networks: it is sent when all of them have it.
ALTER TABLE messages ADD COLUMN recipients BIGINT NOT NULL DEFAULT 1;
