-- A process that has claimed users or waits in a line. Nobody's number returns.
CREATE TABLE {s}.holder (
  id      bigint PRIMARY KEY,
  expires timestamptz NOT NULL
);

-- What was asked for and answered. Times of chunks are Unix seconds, the others
-- nanoseconds. kind is the place of the kind among those that have a history.
CREATE TABLE {s}.history (
  user_id       bytea NOT NULL,
  kind          smallint NOT NULL,
  start         bigint NOT NULL,
  stop          bigint NOT NULL,
  state         smallint NOT NULL,
  reason        bytea NOT NULL,
  detail        bytea NOT NULL,
  earlier_start bigint,
  earlier_stop  bigint,
  attempts      bigint NOT NULL,
  requested     bigint,
  answered      bigint,
  in_doubt      bigint,
  PRIMARY KEY (user_id, kind, start)
);
CREATE INDEX history_recent ON {s}.history (greatest(requested, answered)) WHERE requested IS NOT NULL OR answered IS NOT NULL;
-- Where summaries began. It stands for itself, so that it stays when chunks are
-- cut anew.
CREATE TABLE {s}.arrival (
  user_id bytea NOT NULL,
  kind    smallint NOT NULL,
  at      bigint NOT NULL,
  PRIMARY KEY (user_id, kind, at)
);
-- Who asks for a user's history. The row is the lock of the user's chunks, and
-- holder and nr together are the fence: they never return.
CREATE TABLE {s}.user_claim (
  user_id bytea PRIMARY KEY,
  holder  bigint NOT NULL,
  nr      bigint NOT NULL
);
CREATE INDEX user_claim_holder ON {s}.user_claim (holder);

-- claim_user gives a user to a process, unless one that is alive has the user.
-- Each statement sees what was committed before it, the lock included.
CREATE FUNCTION {s}.claim_user(the_user bytea, me bigint, the_nr bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  c {s}.user_claim;
BEGIN
  LOOP
    INSERT INTO {s}.user_claim (user_id, holder, nr) VALUES (the_user, me, the_nr) ON CONFLICT DO NOTHING;
    IF FOUND THEN
      RETURN true;
    END IF;
    SELECT * INTO c FROM {s}.user_claim u WHERE u.user_id = the_user FOR UPDATE;
    CONTINUE WHEN NOT FOUND; -- it was released just now
    IF c.holder = me AND c.nr = the_nr THEN
      RETURN true; -- asked again, since the answer was lost
    END IF;
    IF EXISTS (SELECT FROM {s}.holder h WHERE h.id = c.holder AND h.expires > {s}.clock()) THEN
      RETURN false;
    END IF;
    UPDATE {s}.user_claim u SET holder = me, nr = the_nr WHERE u.user_id = the_user;
    RETURN true;
  END LOOP;
END $$;

-- save_history stores chunks of a claimed user, all or none.
CREATE FUNCTION {s}.save_history(the_user bytea, me bigint, the_nr bigint, kinds smallint[], starts bigint[], stops bigint[], states smallint[],
  reasons bytea[], details bytea[], earlier_starts bigint[], earlier_stops bigint[], tries bigint[], requests bigint[], answers bigint[], doubts bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM {s}.user_claim u WHERE u.user_id = the_user AND u.holder = me AND u.nr = the_nr FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the claim was lost' USING ERRCODE = 'AL001';
  END IF;
  INSERT INTO {s}.history AS h (user_id, kind, start, stop, state, reason, detail, earlier_start, earlier_stop, attempts, requested, answered, in_doubt)
  SELECT the_user, c.* FROM unnest(kinds, starts, stops, states, reasons, details, earlier_starts, earlier_stops, tries, requests, answers, doubts) c
  ON CONFLICT (user_id, kind, start) DO UPDATE SET stop = excluded.stop, state = excluded.state, reason = excluded.reason, detail = excluded.detail,
    earlier_start = excluded.earlier_start, earlier_stop = excluded.earlier_stop, attempts = excluded.attempts,
    requested = excluded.requested, answered = excluded.answered, in_doubt = excluded.in_doubt;
  PERFORM FROM (SELECT h.stop, lead(h.start) OVER (PARTITION BY h.kind ORDER BY h.start) AS next FROM {s}.history h WHERE h.user_id = the_user) c WHERE c.next < c.stop;
  IF FOUND THEN
    RAISE EXCEPTION 'chunks overlap' USING ERRCODE = 'AL002';
  END IF;
END $$;
