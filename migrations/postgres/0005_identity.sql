-- What an identity service needs. Made once: the key that signs invitations, and the pepper of hashed addresses.
CREATE TABLE identity_secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Who has signed in, by the hash of their token.
CREATE TABLE identity_tokens (
    hash    TEXT   NOT NULL PRIMARY KEY,
    mxid    TEXT   NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX identity_tokens_made ON identity_tokens (made_at);

-- Who has accepted which terms.
CREATE TABLE identity_terms (
    mxid  TEXT NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (mxid, terms)
);

-- By what somebody who knows the address finds the ghost; null: not worked out yet, empty: not to be found.
ALTER TABLE ghosts ADD COLUMN lookup TEXT;
CREATE INDEX ghosts_lookup ON ghosts (lookup);
