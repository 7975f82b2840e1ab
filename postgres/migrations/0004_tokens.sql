-- clock is what all leases and holds go by. Tests replace it.
CREATE FUNCTION {s}.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';

-- Tokens, as the bytes of Token.MarshalBinary, or sealed. Versions come from a
-- sequence, so that none returns after a user was removed.
CREATE SEQUENCE {s}.token_seq;
CREATE TABLE {s}.token (
  user_id bytea PRIMARY KEY,
  version bigint NOT NULL,
  due     timestamptz,                      -- when the refresh token ends; NULL: nothing can be refreshed
  due_ns  smallint NOT NULL,                -- and the nanoseconds that a timestamptz has no room for
  data    bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX token_due ON {s}.token (due, due_ns, user_id) WHERE due IS NOT NULL;

-- The consents that were answered.
CREATE TABLE {s}.consent (
  id    bytea PRIMARY KEY,
  until timestamptz NOT NULL
);
CREATE INDEX consent_until ON {s}.consent (until);
