-- The items of a large body before all of it is there, many in a row: a row for
-- each cost as much as the item does. The rows go with their body. staged stays for
-- programs of the version before.
CREATE TABLE {s}.staged_list (
  body    bigint NOT NULL REFERENCES {s}.large ON DELETE CASCADE,
  first   integer NOT NULL,                 -- the number of its first item in the body
  shares  smallint[] NOT NULL,
  classes smallint[] NOT NULL,
  keys    bytea[] NOT NULL,
  idxs    integer[] NOT NULL,
  offs    bigint[] NOT NULL,
  sizes   bigint[] NOT NULL,
  users   bytea[] NOT NULL,
  touches bytea[] NOT NULL,
  PRIMARY KEY (body, first)
);

-- publish_lists makes items of what is staged of a large body, as publish does.
-- items and chunks are how many of each the program has stored. It did not wait for
-- the disk, and a server that crashed since may have fewer: then nothing is
-- published.
CREATE PROCEDURE {s}.publish_lists(lock_key bigint, the_body bigint, items bigint, chunks bigint, letter_id bigint, letter_items bigint, letter_size bigint,
  the_sum bytea, since bigint, INOUT ok boolean, INOUT done boolean)
LANGUAGE plpgsql AS $$
DECLARE
  stored bigint;
  theord bigint;
  top    bigint;
BEGIN
  CALL {s}.reserve(lock_key, items);
  -- Where a sequential scan is not allowed it looks so costly that it is compiled.
  PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true);
  UPDATE {s}.large SET ready = true WHERE body = the_body AND NOT ready;
  ok := FOUND;
  IF ok THEN
    SELECT count(*) INTO stored FROM {s}.chunk c WHERE c.body = the_body;
    IF stored <> chunks THEN
      RAISE EXCEPTION 'the server has lost a part of the body' USING ERRCODE = 'AL003';
    END IF;
  END IF;
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
    -- Under the append lock nobody else takes numbers.
    SELECT i.last_value INTO top FROM {s}.item_seq i;
    PERFORM setval('{s}.item_seq', top + items);
    INSERT INTO {s}.item (share, class, id, body, key, idx, off, size, user_id, touch, ord)
    SELECT t.share, t.class, (top + t.n) * 8 + t.class, the_body, t.key, t.idx, t.off, t.size, t.user_id, t.touch, theord
    FROM (SELECT unnest(l.shares) AS share, unnest(l.classes) AS class, unnest(l.keys) AS key, unnest(l.idxs) AS idx, unnest(l.offs) AS off,
        unnest(l.sizes) AS size, unnest(l.users) AS user_id, unnest(l.touches) AS touch, l.first + generate_subscripts(l.shares, 1) AS n
      FROM (SELECT * FROM {s}.staged_list s WHERE s.body = the_body ORDER BY s.first) l) t;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> items THEN
      RAISE EXCEPTION 'the server has lost a part of the body' USING ERRCODE = 'AL003';
    END IF;
  END IF;
  IF ok THEN
    DELETE FROM {s}.staged_list s WHERE s.body = the_body;
  END IF;
  COMMIT;
  PERFORM pg_logical_emit_message(true, 'activityapi', '');
END $$;
