-- The queue: items, the bytes of large bodies, dead letters, and who works.
-- Text from the network is bytea, since text takes no NUL.

-- One number for each item, taken under the append lock. It must not be cached,
-- or the numbers of two connections are out of order.
CREATE SEQUENCE {s}.item_seq CACHE 1;
-- It begins at the clock, so that IDs, which are Orders, are at least twice the
-- nanoseconds of Unix time, and those of a database that takes the place of a lost
-- one above what that gave.
SELECT setval('{s}.item_seq', (extract(epoch FROM clock_timestamp()) * 250000000)::bigint);
-- Blocks of numbers of bodies: each process takes 1024 at a time.
CREATE SEQUENCE {s}.body_seq START 1024 INCREMENT BY 1024;
CREATE SEQUENCE {s}.letter_seq;
CREATE SEQUENCE {s}.member_seq;

CREATE TABLE {s}.item (
  share    smallint NOT NULL,
  class    smallint NOT NULL,
  id       bigint NOT NULL,                 -- number * 8 + class
  body     bigint NOT NULL,
  received timestamptz NOT NULL DEFAULT now(),
  key      bytea NOT NULL,
  idx      integer NOT NULL,
  off      bigint NOT NULL,
  size     bigint NOT NULL,
  user_id  bytea NOT NULL,
  touch    bytea NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  next     timestamptz,
  begun    smallint NOT NULL DEFAULT 0,     -- attempts that a process may have died of
  reason   bytea,
  ord      bigint,                          -- the Order of what was redriven; of all others it is the id
  data     bytea,                           -- NULL: the bytes stand in chunk
  PRIMARY KEY (share, class, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 20000);
ALTER TABLE {s}.item ALTER data SET STORAGE EXTERNAL;
CREATE INDEX item_large ON {s}.item (body) WHERE data IS NULL;

CREATE TABLE {s}.large (
  body   bigint PRIMARY KEY,
  stored timestamptz NOT NULL DEFAULT now(),
  ready  boolean NOT NULL DEFAULT false     -- its items are in item
);
CREATE TABLE {s}.chunk (
  body bigint NOT NULL,
  n    integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (body, n)
);
ALTER TABLE {s}.chunk ALTER data SET STORAGE EXTERNAL;
-- The items of a large body before all of it is there.
CREATE TABLE {s}.staged (
  body    bigint NOT NULL,
  n       integer NOT NULL,
  share   smallint NOT NULL,
  class   smallint NOT NULL,
  key     bytea NOT NULL,
  idx     integer NOT NULL,
  off     bigint NOT NULL,
  size    bigint NOT NULL,
  user_id bytea NOT NULL,
  touch   bytea NOT NULL,
  PRIMARY KEY (body, n)
);

CREATE TABLE {s}.letter (
  id          bigint PRIMARY KEY,
  tag         bigint NOT NULL UNIQUE,       -- a body, for its rest; or minus the item
  key         bytea NOT NULL,
  user_id     bytea NOT NULL,
  items       bigint NOT NULL,
  reason      bytea NOT NULL,
  quarantined boolean NOT NULL,
  attempts    integer NOT NULL,
  received    timestamptz NOT NULL,
  buried      timestamptz NOT NULL,
  size        bigint NOT NULL,
  ord         bigint NOT NULL               -- the least Order of its items
);
CREATE INDEX letter_user ON {s}.letter (user_id);
CREATE TABLE {s}.letter_item (
  letter bigint NOT NULL REFERENCES {s}.letter ON DELETE CASCADE,
  item   bigint NOT NULL,
  key    bytea NOT NULL,
  body   bigint NOT NULL,
  off    bigint NOT NULL,
  size   bigint NOT NULL,
  data   bytea,
  PRIMARY KEY (letter, item)
);
ALTER TABLE {s}.letter_item ALTER data SET STORAGE EXTERNAL;
CREATE INDEX letter_item_large ON {s}.letter_item (body) WHERE data IS NULL;

CREATE TABLE {s}.member (
  id      bigint PRIMARY KEY,
  expires timestamptz NOT NULL,
  works   boolean NOT NULL                  -- false: it takes no more shares
);
CREATE TABLE {s}.share (
  share smallint PRIMARY KEY,
  owner bigint,
  epoch bigint NOT NULL DEFAULT 0,          -- grows whenever the owner changes
  died  boolean NOT NULL DEFAULT false      -- the last owner did not release it
);
INSERT INTO {s}.share (share) SELECT generate_series(0, 63);

-- Who has settled items did not wait for the disk, and a server that crashed may
-- have them again. The row of an unlogged table is gone by then, also on a standby
-- that took over, and the next is another.
CREATE UNLOGGED TABLE {s}.running_since (boot uuid NOT NULL);

-- hold keeps a right from ending until the transaction has, or fails if it has
-- ended. A right is a share and its epoch.
CREATE FUNCTION {s}.hold(the_share smallint, the_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM {s}.share s WHERE s.share = the_share AND s.epoch = the_epoch FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease was lost' USING ERRCODE = 'AL001';
  END IF;
END $$;

-- finish deletes items of several rights at once. What cannot be held is tried
-- again by the caller, or is lost if the epoch is another: a row that somebody
-- changes just now is not waited for, since two who wait for each other's would
-- hang.
CREATE FUNCTION {s}.finish(rights smallint[], epochs bigint[], shares smallint[], classes smallint[], ids bigint[],
  OUT held smallint[], OUT lost smallint[]) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  held := ARRAY(SELECT s.share FROM {s}.share s JOIN unnest(rights, epochs) r (share, epoch) ON s.share = r.share AND s.epoch = r.epoch
    FOR SHARE OF s SKIP LOCKED);
  IF cardinality(held) < cardinality(rights) THEN
    lost := ARRAY(SELECT s.share FROM {s}.share s JOIN unnest(rights, epochs) r (share, epoch) ON s.share = r.share AND s.epoch <> r.epoch);
  END IF;
  DELETE FROM {s}.item i USING unnest(shares, classes, ids) d (share, class, id)
    WHERE i.share = d.share AND i.class = d.class AND i.id = d.id AND d.share = ANY (held);
END $$;

-- beat renews the lease of a process, takes from the dead, divides the shares,
-- and tells the process which are its own. It is one statement, so that a
-- process which is stopped in the middle holds up no other. me is 0 for a
-- process that joins. freed and epochs are rights that were released, busy are
-- shares whose earlier right the process has not let go of yet.
CREATE FUNCTION {s}.beat(lock_key bigint, me bigint, lease interval, working boolean, freed smallint[], epochs bigint[], busy smallint[],
  OUT o_member bigint, OUT o_part integer, OUT o_moved boolean, OUT o_share smallint, OUT o_epoch bigint, OUT o_died boolean, OUT o_now timestamptz, OUT o_boot uuid)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  worked boolean;
  total  integer;
  rank   integer;
  held   integer;
  id_    bigint := me;
  part   integer := 0;
  moved  boolean := false;
  since  uuid;
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key);
  SELECT r.boot INTO since FROM {s}.running_since r;
  IF NOT FOUND THEN
    INSERT INTO {s}.running_since AS r (boot) VALUES (gen_random_uuid()) RETURNING r.boot INTO since;
  END IF;
  IF id_ = 0 THEN
    id_ := nextval('{s}.member_seq');
    INSERT INTO {s}.member (id, expires, works) VALUES (id_, clock_timestamp() + lease, working);
    moved := true;
  ELSE
    SELECT m.works INTO worked FROM {s}.member m WHERE m.id = id_;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the lease was lost' USING ERRCODE = 'AL001';
    END IF;
    UPDATE {s}.member m SET expires = clock_timestamp() + lease, works = working WHERE m.id = id_;
    moved := worked <> working;
  END IF;
  UPDATE {s}.share s SET owner = NULL, epoch = s.epoch + 1, died = false FROM unnest(freed, epochs) f (share, epoch)
    WHERE s.share = f.share AND s.epoch = f.epoch;
  moved := moved OR FOUND;
  DELETE FROM {s}.member m WHERE m.expires <= clock_timestamp() AND m.id <> id_;
  moved := moved OR FOUND;
  UPDATE {s}.share s SET owner = NULL, epoch = s.epoch + 1, died = true WHERE s.owner IS NOT NULL AND s.owner NOT IN (SELECT m.id FROM {s}.member m);
  IF working THEN
    SELECT count(*), count(*) FILTER (WHERE m.id < id_) INTO total, rank FROM {s}.member m WHERE m.works;
    SELECT count(*) / total + (rank < count(*) % total)::integer, count(*) FILTER (WHERE s.owner = id_) INTO part, held FROM {s}.share s;
    IF held < part THEN
      UPDATE {s}.share s SET owner = id_, epoch = s.epoch + 1 WHERE s.share IN (
        SELECT f.share FROM {s}.share f WHERE f.owner IS NULL AND f.share <> ALL (busy) ORDER BY f.share LIMIT part - held);
    END IF;
  END IF;
  RETURN QUERY SELECT id_, part, moved, s.share, s.epoch, s.died, clock_timestamp(), since FROM (SELECT 1) one LEFT JOIN {s}.share s ON s.owner = id_;
END $$;
