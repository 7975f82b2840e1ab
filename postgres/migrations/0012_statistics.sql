-- ANALYZE copies values into the system's tables, where nobody but a superuser can
-- remove them: ids of users and bytes of items have no business there. All that is
-- found by them is found by an index.
DO $$
DECLARE
  c record;
BEGIN
  FOR c IN SELECT a.attrelid::regclass AS of, a.attname AS name, EXISTS (
      SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname) AS known
    FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE t.oid = ANY (ARRAY['{s}.item', '{s}.staged', '{s}.staged_list', '{s}.chunk', '{s}.letter', '{s}.letter_item', '{s}.claim', '{s}.token',
        '{s}.history', '{s}.arrival', '{s}.user_claim', '{s}.budget_call', '{s}.joined']::regclass[])
      AND a.attnum > 0 AND NOT a.attisdropped AND (a.atttypid IN ('bytea'::regtype, 'bytea[]'::regtype) OR t.relname = 'claim' AND a.attname = 'id')
    ORDER BY 1, 2
  LOOP
    IF c.known THEN -- A change to the type that it has removes what was copied.
      EXECUTE format('ALTER TABLE %s ALTER %I TYPE %s', c.of, c.name, (SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = c.of AND attname = c.name)
        || CASE WHEN c.name = 'id' AND c.of = '{s}.claim'::regclass THEN ' COLLATE "C"' ELSE '' END);
    END IF;
    EXECUTE format('ALTER TABLE %s ALTER %I SET STATISTICS 0', c.of, c.name);
  END LOOP;
END $$;
