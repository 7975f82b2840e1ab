-- The days a minute of each consumer key. All times are those of clock, taken
-- under the lock of the key's row.
CREATE SEQUENCE {s}.turn_seq;
CREATE TABLE {s}.budget (
  name    bytea PRIMARY KEY,
  days    integer NOT NULL,
  blocked timestamptz NOT NULL DEFAULT '-infinity', -- nothing is granted before
  life    text NOT NULL                             -- of the server that granted last
);
-- What was granted. It counts until its time; NULL is as long as its process is
-- alive and has not said what became of the request.
CREATE TABLE {s}.budget_grant (
  name    bytea NOT NULL,
  holder  bigint NOT NULL,
  nr      bigint NOT NULL,
  days    integer NOT NULL,
  granted timestamptz NOT NULL,
  until   timestamptz,
  PRIMARY KEY (holder, nr)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
-- The line. The first call of each user has a turn.
CREATE TABLE {s}.budget_call (
  name    bytea NOT NULL,
  holder  bigint NOT NULL,
  nr      bigint NOT NULL,
  user_id bytea NOT NULL,
  days    integer NOT NULL,
  place   bigint NOT NULL,
  turn    bigint,
  PRIMARY KEY (holder, nr)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
CREATE INDEX budget_call_turn ON {s}.budget_call (name, turn) WHERE turn IS NOT NULL;
CREATE INDEX budget_call_user ON {s}.budget_call (name, user_id, place);

-- server_life changes when another server takes over, when this one starts anew,
-- and when the tables were restored from a dump: what was granted last may be
-- gone then, and the clock be another.
CREATE FUNCTION {s}.server_life() RETURNS text LANGUAGE sql STABLE AS
  $$SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' || '{s}.budget'::regclass::oid::text || '/' || (SELECT oid::text FROM pg_database WHERE datname = current_database())$$;

-- budget_leave takes a call out of the line; the next of its user has its turn.
CREATE FUNCTION {s}.budget_leave(the_holder bigint, the_nr bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c {s}.budget_call;
BEGIN
  DELETE FROM {s}.budget_call b WHERE b.holder = the_holder AND b.nr = the_nr RETURNING * INTO c;
  IF c.turn IS NOT NULL THEN
    UPDATE {s}.budget_call b SET turn = c.turn WHERE (b.holder, b.nr) =
      (SELECT n.holder, n.nr FROM {s}.budget_call n WHERE n.name = c.name AND n.user_id = c.user_id ORDER BY n.place LIMIT 1);
  END IF;
END $$;

-- budget_turn is all that a process does: it says what became of its requests,
-- leaves the line and enters it, and is granted what it is its turn for. It is one
-- statement, so that a process which is stopped in the middle holds up no other,
-- and it can be repeated if its answer was lost.
--
-- A request is sent within 5 seconds of its grant and has ended within a minute,
-- by the clock of its process; the server may count it 30 seconds later. So
-- 150.1 seconds after the grant it counts no more, whatever became of it.
--
-- ended_for is how many seconds a request still counts, NULL if it was not sent.
-- stop is for how many nothing is granted, after a 429. o_ages are the seconds since
-- a call was granted; o_missing are calls that are not in the line any more. o_wait
-- is when to ask again, NULL if that depends on others.
CREATE FUNCTION {s}.budget_turn(the_name bytea, me bigint, lease interval, channel text,
  ended bigint[], ended_days integer[], ended_for double precision[], stop double precision,
  gone bigint[], came bigint[], came_user bytea[], came_days integer[], waiting bigint[],
  OUT o_granted bigint[], OUT o_ages double precision[], OUT o_missing bigint[], OUT o_wait double precision)
LANGUAGE plpgsql AS $$
DECLARE
  past CONSTANT interval := '150.1 seconds';
  b    {s}.budget;
  t    timestamptz;
  used bigint;
  head {s}.budget_call;
BEGIN
  IF stop IS NULL THEN
    -- What a power cut undoes is covered by the rule about another life.
    PERFORM set_config('synchronous_commit', 'off', true);
  END IF;
  SELECT * INTO STRICT b FROM {s}.budget k WHERE k.name = the_name FOR UPDATE;
  t := {s}.clock();
  IF b.life <> {s}.server_life() THEN
    UPDATE {s}.budget k SET life = {s}.server_life(), blocked = greatest(k.blocked, t + past) WHERE k.name = the_name RETURNING * INTO b;
  END IF;
  IF stop IS NOT NULL THEN
    UPDATE {s}.budget k SET blocked = greatest(k.blocked, t + make_interval(secs => stop)) WHERE k.name = the_name RETURNING * INTO b;
  END IF;

  INSERT INTO {s}.holder AS h (id, expires) VALUES (me, t + lease) ON CONFLICT (id) DO UPDATE SET expires = greatest(h.expires, excluded.expires);
  -- An end may come late, or of a grant that was lost: it is held all the same.
  INSERT INTO {s}.budget_grant (name, holder, nr, days, granted, until)
    SELECT the_name, me, e.nr, e.days, t, t + make_interval(secs => e.span) FROM unnest(ended, ended_days, ended_for) e (nr, days, span) WHERE e.span IS NOT NULL
    ON CONFLICT (holder, nr) DO UPDATE SET until = excluded.until;
  DELETE FROM {s}.budget_grant g USING unnest(ended, ended_for) e (nr, span) WHERE e.span IS NULL AND g.holder = me AND g.nr = e.nr;
  PERFORM {s}.budget_leave(me, g.nr) FROM unnest(gone) g (nr);
  DELETE FROM {s}.budget_grant g WHERE g.holder = me AND g.nr = ANY (gone) AND g.until IS NULL;

  -- Who is silent: the grants end when they must have, the calls leave the line.
  UPDATE {s}.budget_grant g SET until = g.granted + past
    WHERE g.name = the_name AND g.until IS NULL AND NOT EXISTS (SELECT FROM {s}.holder h WHERE h.id = g.holder AND h.expires > t);
  DELETE FROM {s}.budget_grant g WHERE g.name = the_name AND g.until <= t;
  PERFORM {s}.budget_leave(c.holder, c.nr) FROM {s}.budget_call c
    WHERE c.name = the_name AND NOT EXISTS (SELECT FROM {s}.holder h WHERE h.id = c.holder AND h.expires > t);

  FOR i IN 1 .. cardinality(came) LOOP
    INSERT INTO {s}.budget_call (name, holder, nr, user_id, days, place, turn)
      SELECT the_name, me, came[i], came_user[i], came_days[i], nextval('{s}.turn_seq'),
        CASE WHEN EXISTS (SELECT FROM {s}.budget_call c WHERE c.name = the_name AND c.user_id = came_user[i]) THEN NULL ELSE nextval('{s}.turn_seq') END
      WHERE NOT EXISTS (SELECT FROM {s}.budget_grant g WHERE g.holder = me AND g.nr = came[i])
      ON CONFLICT DO NOTHING;
  END LOOP;

  IF b.blocked > t THEN
    o_wait := extract(epoch FROM b.blocked - t);
  ELSE
    SELECT coalesce(sum(g.days), 0) INTO used FROM {s}.budget_grant g WHERE g.name = the_name;
    LOOP
      SELECT * INTO head FROM {s}.budget_call c WHERE c.name = the_name AND c.turn IS NOT NULL ORDER BY c.turn LIMIT 1;
      EXIT WHEN NOT FOUND;
      IF used + head.days > b.days THEN
        SELECT extract(epoch FROM min(g.until) - t) INTO o_wait FROM {s}.budget_grant g WHERE g.name = the_name;
        EXIT;
      END IF;
      -- Nobody is granted days who may not hear of it.
      IF head.holder <> me THEN
        PERFORM pg_notify(channel, head.holder::text);
        EXIT;
      END IF;
      DELETE FROM {s}.budget_call c WHERE c.holder = me AND c.nr = head.nr;
      UPDATE {s}.budget_call c SET turn = nextval('{s}.turn_seq') WHERE (c.holder, c.nr) =
        (SELECT n.holder, n.nr FROM {s}.budget_call n WHERE n.name = the_name AND n.user_id = head.user_id ORDER BY n.place LIMIT 1);
      INSERT INTO {s}.budget_grant (name, holder, nr, days, granted) VALUES (the_name, me, head.nr, head.days, t);
      used := used + head.days;
    END LOOP;
  END IF;

  SELECT coalesce(array_agg(g.nr), '{}'), coalesce(array_agg(extract(epoch FROM t - g.granted)), '{}') INTO o_granted, o_ages
    FROM {s}.budget_grant g WHERE g.holder = me AND g.nr = ANY (waiting) AND g.until IS NULL;
  SELECT coalesce(array_agg(w.nr), '{}') INTO o_missing FROM unnest(waiting) w (nr)
    WHERE w.nr <> ALL (o_granted) AND NOT EXISTS (SELECT FROM {s}.budget_call c WHERE c.holder = me AND c.nr = w.nr);
END $$;
