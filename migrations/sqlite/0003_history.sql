-- What was said before a handover: people's words, in a table of their own so that they can go before the rest does.

CREATE TABLE history (
  handover TEXT NOT NULL PRIMARY KEY,
  messages TEXT NOT NULL              -- JSON, oldest first
) STRICT, WITHOUT ROWID;
