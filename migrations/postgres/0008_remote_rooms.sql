-- Remote rooms, and the ghost that stands for each; a remote room is paired while that ghost is in a portal.
CREATE TABLE remote_rooms (
    connector   TEXT NOT NULL,
    remote_room TEXT NOT NULL,
    ghost       TEXT NOT NULL,
    PRIMARY KEY (connector, remote_room)
);

-- Staff whom a remote room has sent away or not let in: they do not go there again by themselves.
CREATE TABLE shut_out (
    connector   TEXT   NOT NULL,
    remote_room TEXT   NOT NULL,
    mxid        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (connector, remote_room, mxid)
);
