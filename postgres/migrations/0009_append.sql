-- append as before, in fewer steps: while it has the append lock nobody else
-- stores. A function scan over arrays copies each, a sort each row; arrays that are
-- unnested side by side in a list do not, and keep their order.
CREATE OR REPLACE PROCEDURE {s}.append(lock_key bigint, shares smallint[], classes smallint[], bodies bigint[], keys bytea[], idxs integer[],
  offs bigint[], sizes bigint[], users bytea[], touches bytea[], datas bytea[], own bytea[], fresh bytea[], since bigint,
  INOUT ids bigint[], INOUT ats timestamptz[], INOUT olds bytea[])
LANGUAGE plpgsql AS $$
DECLARE
  old bytea[];
BEGIN
  PERFORM pg_advisory_xact_lock(lock_key);
  IF NOT EXISTS (SELECT FROM {s}.running r, {s}.item_seq i WHERE i.last_value + cardinality(shares) < r.upto) THEN
    CALL {s}.reserve(lock_key, cardinality(shares));
  END IF;
  PERFORM set_config('synchronous_commit', 'off', true), set_config('enable_seqscan', 'off', true);
  IF cardinality(fresh) > 0 THEN
    IF EXISTS (SELECT FROM {s}.repeat r WHERE r.id > since) THEN
      SELECT array_agg(t.sum) INTO old FROM (
        SELECT substr(r.sums, 1 + 16 * n, 16) AS sum FROM {s}.repeat r, generate_series(0, length(r.sums) / 16 - 1) n WHERE r.id > since
      ) t WHERE t.sum = ANY (fresh);
    END IF;
    INSERT INTO {s}.repeat (id, sums)
      SELECT nextval('{s}.repeat_seq'), s.sums FROM (SELECT string_agg(f, ''::bytea) AS sums FROM unnest(fresh) f WHERE old IS NULL OR f <> ALL (old)) s
      WHERE s.sums IS NOT NULL;
    SELECT array_agg(r.id), array_agg(r.at), array_agg(r.sums) INTO ids, ats, olds
      FROM (SELECT * FROM {s}.repeat r WHERE r.id > since ORDER BY r.id LIMIT 1000) r;
  END IF;
  INSERT INTO {s}.item (share, class, id, body, key, idx, off, size, user_id, touch, data)
  SELECT t.share, t.class, nextval('{s}.item_seq') * 8 + t.class, t.body, t.key, t.idx, t.off, t.size, t.user_id, t.touch, t.data
  FROM (SELECT unnest(shares) AS share, unnest(classes) AS class, unnest(bodies) AS body, unnest(keys) AS key, unnest(idxs) AS idx, unnest(offs) AS off,
      unnest(sizes) AS size, unnest(users) AS user_id, unnest(touches) AS touch, unnest(datas) AS data, unnest(own) AS sum) t
  WHERE old IS NULL OR t.sum IS NULL OR t.sum <> ALL (old);
  COMMIT;
  PERFORM pg_logical_emit_message(true, 'activityapi', '');
END $$;
