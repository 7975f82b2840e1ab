-- Whoever has just joined, or was late itself, takes nothing from others whose
-- lease has run out, for a twentieth of a lease. After an outage all are late, and
-- the first to come would take every share and have to give most of them back. The
-- same holds when the server's clock was set forward. When it was set back, a lease
-- that seems to end in an hour ends after three leases: all processes have the same.
ALTER TABLE {s}.member ADD COLUMN since timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE OR REPLACE FUNCTION {s}.beat(lock_key bigint, me bigint, lease interval, working boolean, freed smallint[], epochs bigint[], busy smallint[],
  OUT o_member bigint, OUT o_part integer, OUT o_moved boolean, OUT o_share smallint, OUT o_epoch bigint, OUT o_died boolean, OUT o_now timestamptz, OUT o_boot uuid)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  worked boolean;
  late   boolean;
  total  integer;
  rank   integer;
  held   integer;
  id_    bigint := me;
  part   integer := 0;
  moved  boolean := false;
  since  uuid;
  at     timestamptz; -- one for all, or who is late by it and who is not would be two clocks
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key);
  at := clock_timestamp();
  SELECT r.boot INTO since FROM {s}.running_since r;
  IF NOT FOUND THEN
    INSERT INTO {s}.running_since AS r (boot) VALUES (gen_random_uuid()) RETURNING r.boot INTO since;
  END IF;
  IF id_ = 0 THEN
    id_ := nextval('{s}.member_seq');
    INSERT INTO {s}.member (id, expires, works) VALUES (id_, at + lease, working);
    moved := true;
  ELSE
    SELECT m.works, m.expires <= at INTO worked, late FROM {s}.member m WHERE m.id = id_;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the lease was lost' USING ERRCODE = 'AL001';
    END IF;
    UPDATE {s}.member m SET expires = at + lease, works = working,
      since = CASE WHEN late THEN at ELSE m.since END WHERE m.id = id_;
    moved := worked <> working;
  END IF;
  UPDATE {s}.share s SET owner = NULL, epoch = s.epoch + 1, died = false FROM unnest(freed, epochs) f (share, epoch)
    WHERE s.share = f.share AND s.epoch = f.epoch;
  moved := moved OR FOUND;
  UPDATE {s}.member m SET expires = at + 3 * lease WHERE m.expires > at + 3 * lease;
  IF EXISTS (SELECT FROM {s}.member m WHERE m.id = id_ AND m.since < at - lease / 20) THEN
    DELETE FROM {s}.member m WHERE m.expires <= at AND m.id <> id_;
    moved := moved OR FOUND;
  END IF;
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
