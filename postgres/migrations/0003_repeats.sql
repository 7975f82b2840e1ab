-- Which bodies were received: for each commit, the first halves of their
-- SHA-256. Processes remember them in memory, and ask for what is new since they
-- last did; an index by sum would cost more than the bodies.
CREATE SEQUENCE {s}.repeat_seq CACHE 1;
CREATE TABLE {s}.repeat (
  id   bigint PRIMARY KEY,
  at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  sums bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- Numbers of items are used before they are on the disk, and a server that
-- crashed would give them out again: to items that a scan has passed, and that a
-- verdict on a lost item would remove. So they are reserved first, many at a time,
-- and after a crash what was reserved is left out. The row of an unlogged table
-- is gone by then, also on a standby that took over.
CREATE TABLE {s}.reserved (upto bigint NOT NULL);
INSERT INTO {s}.reserved VALUES (0);
CREATE UNLOGGED TABLE {s}.running (upto bigint NOT NULL);

-- reserve takes the append lock, and sees to it that numbers are there.
CREATE PROCEDURE {s}.reserve(lock_key bigint, need bigint) LANGUAGE plpgsql AS $$
DECLARE
  top bigint;
BEGIN
  LOOP
    PERFORM pg_advisory_xact_lock(lock_key);
    EXIT WHEN EXISTS (SELECT FROM {s}.running r, {s}.item_seq i WHERE i.last_value + need < r.upto);
    SELECT greatest(r.upto, i.last_value) INTO top FROM {s}.reserved r, {s}.item_seq i;
    IF NOT EXISTS (SELECT FROM {s}.running) THEN
      PERFORM setval('{s}.item_seq', top);
    END IF;
    top := top + need + 1000000;
    UPDATE {s}.reserved SET upto = top;
    DELETE FROM {s}.running;
    INSERT INTO {s}.running VALUES (top);
    COMMIT; -- it waits for the disk
  END LOOP;
END $$;

-- append stores the items of small bodies. Their numbers are taken under the
-- append lock, which is held until the items are seen: so who sees an item sees
-- all before it. It is not held until they are on the disk, since then one
-- commit would wait for the other's disk, and for the standby. So the items are
-- committed without waiting, and then a second commit waits for both. It is one
-- call, so that a process which is stopped in the middle holds up no other, and
-- so that both are in the same session: a server that crashed in between fails it.
--
-- own is the sum of each item's body, or NULL; fresh are all sums. since is up to
-- where the process knows what was received, and the rows behind it are returned.
CREATE PROCEDURE {s}.append(lock_key bigint, shares smallint[], classes smallint[], bodies bigint[], keys bytea[], idxs integer[],
  offs bigint[], sizes bigint[], users bytea[], touches bytea[], datas bytea[], own bytea[], fresh bytea[], since bigint,
  INOUT ids bigint[], INOUT ats timestamptz[], INOUT olds bytea[])
LANGUAGE plpgsql AS $$
DECLARE
  old bytea[];
BEGIN
  CALL {s}.reserve(lock_key, cardinality(shares));
  PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true);
  IF cardinality(fresh) > 0 THEN
    SELECT array_agg(t.sum) INTO old FROM (
      SELECT substr(r.sums, 1 + 16 * n, 16) AS sum FROM {s}.repeat r, generate_series(0, length(r.sums) / 16 - 1) n WHERE r.id > since
    ) t WHERE t.sum = ANY (fresh);
    INSERT INTO {s}.repeat (id, sums)
      SELECT nextval('{s}.repeat_seq'), s.sums FROM (SELECT string_agg(f, ''::bytea) AS sums FROM unnest(fresh) f WHERE old IS NULL OR f <> ALL (old)) s
      WHERE s.sums IS NOT NULL;
    SELECT array_agg(r.id), array_agg(r.at), array_agg(r.sums) INTO ids, ats, olds
      FROM (SELECT * FROM {s}.repeat r WHERE r.id > since ORDER BY r.id LIMIT 1000) r;
  END IF;
  INSERT INTO {s}.item (share, class, id, body, key, idx, off, size, user_id, touch, data)
  SELECT t.share, t.class, nextval('{s}.item_seq') * 8 + t.class, t.body, t.key, t.idx, t.off, t.size, t.user_id, t.touch, t.data
  FROM (SELECT * FROM unnest(shares, classes, bodies, keys, idxs, offs, sizes, users, touches, datas, own)
      WITH ORDINALITY u (share, class, body, key, idx, off, size, user_id, touch, data, sum, n)
    WHERE old IS NULL OR u.sum IS NULL OR u.sum <> ALL (old) ORDER BY u.n) t;
  COMMIT;
  PERFORM pg_logical_emit_message(true, 'activityapi', '');
END $$;

-- publish makes items of what is staged of a large body, as append does. If a
-- letter is named, it is removed and its Order kept, and if that cannot be, or the body is a repeat,
-- nothing is stored. ok tells that the body was still there, and done that the
-- items are.
CREATE PROCEDURE {s}.publish(lock_key bigint, the_body bigint, letter_id bigint, letter_items bigint, letter_size bigint,
  the_sum bytea, since bigint, INOUT ok boolean, INOUT done boolean)
LANGUAGE plpgsql AS $$
DECLARE
  need   bigint;
  theord bigint;
BEGIN
  SELECT count(*) INTO need FROM {s}.staged s WHERE s.body = the_body;
  CALL {s}.reserve(lock_key, need);
  PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true);
  UPDATE {s}.large SET ready = true WHERE body = the_body AND NOT ready;
  ok := FOUND;
  done := ok;
  IF ok AND letter_id <> 0 THEN
    DELETE FROM {s}.letter l WHERE l.id = letter_id AND l.items = letter_items AND l.size = letter_size RETURNING l.ord INTO theord;
    done := FOUND;
  END IF;
  IF ok AND the_sum IS NOT NULL THEN
    done := NOT EXISTS (SELECT FROM {s}.repeat r, generate_series(0, length(r.sums) / 16 - 1) n
      WHERE r.id > since AND substr(r.sums, 1 + 16 * n, 16) = the_sum);
    IF done THEN
      INSERT INTO {s}.repeat (id, sums) VALUES (nextval('{s}.repeat_seq'), the_sum);
    END IF;
  END IF;
  IF done THEN
    INSERT INTO {s}.item (share, class, id, body, key, idx, off, size, user_id, touch, ord)
    SELECT t.share, t.class, nextval('{s}.item_seq') * 8 + t.class, t.body, t.key, t.idx, t.off, t.size, t.user_id, t.touch, theord
    FROM (SELECT * FROM {s}.staged s WHERE s.body = the_body ORDER BY s.n) t;
  END IF;
  IF ok THEN
    DELETE FROM {s}.staged s WHERE s.body = the_body;
  END IF;
  COMMIT;
  PERFORM pg_logical_emit_message(true, 'activityapi', '');
END $$;
