-- The notes of downloads. What belongs to a state alone is JSON in bytea, since
-- jsonb takes no NUL.
CREATE SEQUENCE {s}.holder_seq;
CREATE TABLE {s}.claim (
  id      text COLLATE "C" PRIMARY KEY,
  state   text NOT NULL,
  holder  bigint,
  until   timestamptz,
  asked   timestamptz NOT NULL,
  kept    boolean NOT NULL DEFAULT false,   -- bytes that came are kept
  note    bytea,
  changed timestamptz NOT NULL
);
CREATE INDEX claim_old ON {s}.claim (changed) WHERE state = 'done' OR state = 'spent' AND NOT kept;
