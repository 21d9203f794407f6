-- One row a log-in at the token endpoint. Of tokens only their SHA-256 is kept.
CREATE TABLE token_grant (
  family         TEXT    NOT NULL PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  holder         BLOB    NOT NULL,    -- whom it was given to, as the settings were then
  refresh        BLOB    NOT NULL,    -- the one refresh token that is good
  access         BLOB    NOT NULL,
  access_until   INTEGER NOT NULL,
  previous       BLOB,                -- the access token before the last exchange, good until its own time is over
  previous_until INTEGER,
  expires_at     INTEGER NOT NULL     -- of all of it
) STRICT, WITHOUT ROWID;

CREATE INDEX token_grant_holder ON token_grant (holder, expires_at);
CREATE INDEX token_grant_expires_at ON token_grant (expires_at);

-- 8x8's own headers of a webhook that is passed on as it came: JSON, [[name, value], …]. NULL where it is not.
ALTER TABLE webhook_event ADD COLUMN headers TEXT;
