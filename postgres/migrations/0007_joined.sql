-- What was put together of each activity. The details are most of the bytes, and
-- are written only when they change. version is a random number, so that none
-- returns, whatever was removed or restored; changed is a day, so that a second
-- change of a day touches no index.
CREATE TABLE {s}.joined (
  user_id bytea NOT NULL,
  id      bytea NOT NULL,
  version bigint NOT NULL,
  changed date NOT NULL,
  record  bytea NOT NULL,                   -- JSON, without the details
  details bytea,                            -- JSON
  PRIMARY KEY (user_id, id)
) WITH (fillfactor = 80);
CREATE INDEX joined_changed ON {s}.joined (changed);
-- A server that has no LZ4 compresses the details as it does by default.
DO $$ BEGIN
  EXECUTE 'ALTER TABLE ' || '{s}.joined' || ' ALTER details SET COMPRESSION lz4';
EXCEPTION WHEN syntax_error OR feature_not_supported THEN
  NULL;
END $$;
