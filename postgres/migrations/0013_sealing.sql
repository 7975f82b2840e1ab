-- The keys that bodies, letters, notes of downloads and joined activities are
-- sealed with. They are drawn once, and stored sealed with the AEAD of the programs.
-- A program with the AEAD seals from when all that work can open what is sealed. From
-- then on, which is begun, nobody works who cannot.
CREATE TABLE {s}.sealing (
  one   boolean PRIMARY KEY DEFAULT true CHECK (one),
  id    text NOT NULL,                      -- names the keys
  keys  bytea NOT NULL,
  begun boolean NOT NULL DEFAULT false
);
-- The bytes of an item are sealed if they are more than its size; of others a
-- column tells, or the first byte of what is else JSON.
ALTER TABLE {s}.chunk ADD COLUMN sealed boolean NOT NULL DEFAULT false;
ALTER TABLE {s}.letter ADD COLUMN sealed boolean NOT NULL DEFAULT false;   -- its reason

-- Who beats names by a setting of the transaction the keys that it has. A program of
-- an earlier version names none. The rights are those of who owns the tables: a role
-- that may beat need not have others for it.
ALTER TABLE {s}.member ADD COLUMN opens text NOT NULL DEFAULT '';
CREATE FUNCTION {s}.member_opens() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.opens := coalesce(current_setting('activityapi.opens', true), '');
  IF EXISTS (SELECT FROM {s}.sealing s WHERE s.begun AND s.id <> NEW.opens) THEN
    RAISE EXCEPTION 'what is stored is sealed, and this program has no key to open it' USING ERRCODE = 'AL004';
  END IF;
  RETURN NEW;
END $$;
-- Another's lease may be changed too, but not whether another works.
CREATE TRIGGER opens BEFORE INSERT OR UPDATE OF works ON {s}.member FOR EACH ROW EXECUTE FUNCTION {s}.member_opens();

-- seals tells whether who has the named keys is to seal. lock_key is that of beat:
-- while it is held nobody becomes a member.
CREATE FUNCTION {s}.seals(lock_key bigint, the_id text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM {s}.sealing s WHERE s.begun AND s.id = the_id) THEN
    RETURN true;
  END IF;
  PERFORM pg_advisory_xact_lock(lock_key);
  UPDATE {s}.sealing s SET begun = true WHERE s.id = the_id
    AND NOT EXISTS (SELECT FROM {s}.member m WHERE m.opens <> the_id AND m.expires > clock_timestamp());
  RETURN FOUND;
END $$;
