-- finish as before, without a lock on the rows of the shares: the epochs are
-- compared, and that is enough for items that are done. Should a right end between
-- that and the commit, then its callback has returned nil all the same, and the next
-- process repeats it at worst, as it does what was not told at all. A lock is a
-- record in the log for each share of each group.
CREATE OR REPLACE FUNCTION {s}.finish(rights smallint[], epochs bigint[], shares smallint[], classes smallint[], ids bigint[],
  OUT held smallint[], OUT lost smallint[]) LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  held := ARRAY(SELECT s.share FROM {s}.share s JOIN unnest(rights, epochs) r (share, epoch) ON s.share = r.share AND s.epoch = r.epoch);
  lost := ARRAY(SELECT r.share FROM unnest(rights) r (share) WHERE r.share <> ALL (held));
  DELETE FROM {s}.item i USING unnest(shares, classes, ids) d (share, class, id)
    WHERE i.share = d.share AND i.class = d.class AND i.id = d.id AND d.share = ANY (held);
END $$;
