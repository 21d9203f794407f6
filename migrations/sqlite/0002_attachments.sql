-- Files that went out with a message, as JSON; NULL where there are none.
ALTER TABLE message ADD COLUMN attachments TEXT;

-- Keys the gateway made for itself.
CREATE TABLE own_key (
  name TEXT NOT NULL PRIMARY KEY,
  key  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
