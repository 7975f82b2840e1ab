-- Statements about items, which find each by its key, whatever the planner takes the
-- table for. A queue is empty most of the time, and that is what the statistics say:
-- a join of a list of keys with items then reads all items to find one, or compares
-- each key with each item. One key at a time leaves the planner no choice. A subquery
-- with OFFSET is not taken apart, so that the list before it is read first.

-- finish as before.
CREATE OR REPLACE FUNCTION {s}.finish(rights smallint[], epochs bigint[], shares smallint[], classes smallint[], ids bigint[],
  OUT held smallint[], OUT lost smallint[]) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  held := ARRAY(SELECT s.share FROM {s}.share s JOIN unnest(rights, epochs) r (share, epoch) ON s.share = r.share AND s.epoch = r.epoch);
  lost := ARRAY(SELECT r.share FROM unnest(rights) r (share) WHERE r.share <> ALL (held));
  FOR n IN 1 .. cardinality(ids) LOOP
    CONTINUE WHEN shares[n] <> ALL (held);
    DELETE FROM {s}.item i WHERE i.share = shares[n] AND i.class = classes[n] AND i.id = ids[n];
  END LOOP;
END $$;

-- remove deletes items of a share.
CREATE FUNCTION {s}.remove(the_share smallint, classes smallint[], ids bigint[])
  RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  FOR n IN 1 .. cardinality(ids) LOOP
    DELETE FROM {s}.item i WHERE i.share = the_share AND i.class = classes[n] AND i.id = ids[n];
  END LOOP;
END $$;

-- again notes what is to be tried again, and when.
CREATE FUNCTION {s}.again(the_share smallint, classes smallint[], ids bigint[], tries integer[], at timestamptz[], reasons bytea[])
  RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  FOR n IN 1 .. cardinality(ids) LOOP
    UPDATE {s}.item i SET attempts = tries[n], next = at[n], reason = reasons[n] WHERE i.share = the_share AND i.class = classes[n] AND i.id = ids[n];
  END LOOP;
END $$;

-- harmless notes that items have killed nobody.
CREATE FUNCTION {s}.harmless(the_share smallint, classes smallint[], ids bigint[])
  RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  FOR n IN 1 .. cardinality(ids) LOOP
    UPDATE {s}.item i SET begun = 0 WHERE i.share = the_share AND i.class = classes[n] AND i.id = ids[n];
  END LOOP;
END $$;

-- discard deletes a letter.
CREATE FUNCTION {s}.discard(the_letter bigint)
  RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  DELETE FROM {s}.letter l WHERE l.id = the_letter;
END $$;

-- letter_tag is what only items of the same letter have: the body if the letter is of
-- a body's rest, and else the item.
CREATE FUNCTION {s}.letter_tag(rest boolean, key bytea, body bigint, id bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN rest AND key <> '' THEN body ELSE -id END $$;

-- bury moves items of a share to letters. apps are the users of letters of a rest,
-- which are of an application and of no user.
CREATE FUNCTION {s}.bury(the_share smallint, classes smallint[], ids bigint[], rests boolean[], keys bytea[], users bytea[], apps bytea[], counts bigint[],
  reasons bytea[], reasons_sealed boolean[], quarantines boolean[], tries integer[], receipts timestamptz[], burials timestamptz[])
  RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  INSERT INTO {s}.letter AS l (id, tag, key, user_id, items, reason, quarantined, attempts, received, buried, size, ord, sealed)
  SELECT nextval('{s}.letter_seq'), t.tag, CASE WHEN t.tag > 0 THEN '' ELSE t.key END, CASE WHEN t.tag > 0 THEN t.app ELSE t.user_id END, t.all_items,
    t.reason, t.quarantined, t.attempts, t.received, coalesce(t.buried, clock_timestamp()), t.all_size, t.first_ord, t.sealed
  FROM (SELECT d.*, i.tag, row_number() OVER (PARTITION BY i.tag ORDER BY d.n) AS nth,
      sum(d.items) OVER g AS all_items, sum(i.size) OVER g AS all_size, min(i.ord) OVER g AS first_ord
    FROM unnest(classes, ids, rests, keys, users, apps, counts, reasons, reasons_sealed, quarantines, tries, receipts, burials)
      WITH ORDINALITY d (class, id, rest, key, user_id, app, items, reason, sealed, quarantined, attempts, received, buried, n),
    LATERAL (SELECT {s}.letter_tag(d.rest, i.key, i.body, i.id) AS tag, i.size, coalesce(i.ord, i.id) AS ord FROM {s}.item i
      WHERE i.share = the_share AND i.class = d.class AND i.id = d.id OFFSET 0 FOR UPDATE) i
    WINDOW g AS (PARTITION BY i.tag)) t
  WHERE t.nth = 1 ORDER BY t.n
  ON CONFLICT (tag) DO UPDATE SET items = l.items + excluded.items, size = l.size + excluded.size, ord = least(l.ord, excluded.ord);

  INSERT INTO {s}.letter_item (letter, item, key, body, off, size, data)
  SELECT l.id, i.id, i.key, i.body, i.off, i.size, i.data FROM unnest(classes, ids, rests) d (class, id, rest),
    LATERAL (SELECT {s}.letter_tag(d.rest, i.key, i.body, i.id) AS tag, i.* FROM {s}.item i WHERE i.share = the_share AND i.class = d.class AND i.id = d.id OFFSET 0) i,
    LATERAL (SELECT l.id FROM {s}.letter l WHERE l.tag = i.tag OFFSET 0) l;

  PERFORM {s}.remove(the_share, classes, ids);
END $$;
