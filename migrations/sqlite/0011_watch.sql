-- What is dead is counted and listed without a look at what waits. Nothing is written here while all is well.
CREATE INDEX outbox_dead_rows ON outbox (id, connector) WHERE dead = 1;
CREATE INDEX inbox_dead_rows ON inbox (id, connector) WHERE dead = 1;
