-- The id of a user is what a body says, of any length, and an entry of an index has a
-- bound: a letter of a longer id could not be stored, nor any verdict beside it. The
-- hash has one length. Its values need no statistics: see 0012_statistics.sql.
DROP INDEX {s}.letter_user;
CREATE INDEX letter_user ON {s}.letter (sha256(user_id));
ALTER INDEX {s}.letter_user ALTER COLUMN 1 SET STATISTICS 0;
