-- Times are epoch milliseconds. No foreign keys: each transaction is written by one function of the store.

CREATE TABLE handover (
  id             TEXT    NOT NULL PRIMARY KEY,
  tenant         TEXT    NOT NULL,
  account        TEXT    NOT NULL,
  bot            TEXT    NOT NULL,
  state          TEXT    NOT NULL,
  live           INTEGER NOT NULL,
  session_key    TEXT,                -- bot_session_id where it may have one live handover only
  bot_session_id TEXT,
  conversation   TEXT,
  version        INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  callback_url   TEXT,
  metadata       TEXT,                -- as the bot sent it, to the byte
  facts          TEXT    NOT NULL,    -- JSON, written once
  progress       TEXT    NOT NULL     -- JSON, written with each version
) STRICT;

CREATE UNIQUE INDEX handover_live_conversation ON handover (conversation, account)
  WHERE live = 1 AND conversation IS NOT NULL;
CREATE UNIQUE INDEX handover_live_session ON handover (bot, session_key)
  WHERE live = 1 AND session_key IS NOT NULL;
CREATE INDEX handover_live ON handover (bot, id) WHERE live = 1;
CREATE INDEX handover_bot ON handover (bot, id);
CREATE INDEX handover_session ON handover (bot, bot_session_id, id) WHERE bot_session_id IS NOT NULL;
CREATE INDEX handover_conversation ON handover (conversation, account, id) WHERE conversation IS NOT NULL;
CREATE INDEX handover_over ON handover (ended_at) WHERE live = 0;

CREATE TABLE webhook_event (
  position     INTEGER NOT NULL PRIMARY KEY,
  account      TEXT    NOT NULL,
  event_id     TEXT    NOT NULL,
  conversation TEXT,
  handover     TEXT,                  -- NULL while no handover has taken it
  sha256       BLOB    NOT NULL,
  received_at  INTEGER NOT NULL,
  body         BLOB    NOT NULL,
  UNIQUE (account, event_id)
) STRICT;

CREATE INDEX webhook_event_unplaced ON webhook_event (account, conversation) WHERE handover IS NULL;
CREATE INDEX webhook_event_unplaced_at ON webhook_event (received_at) WHERE handover IS NULL;
CREATE INDEX webhook_event_handover ON webhook_event (handover) WHERE handover IS NOT NULL;

-- AUTOINCREMENT: a position is a cursor in a bot's hands and is never given out twice.
CREATE TABLE event (
  position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  handover TEXT    NOT NULL,
  sequence INTEGER NOT NULL,
  bot      TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  type     TEXT    NOT NULL,
  at       INTEGER NOT NULL,
  state    TEXT    NOT NULL,
  late     INTEGER NOT NULL,
  deliver  INTEGER NOT NULL,          -- 0 where the bot pulls
  extra    TEXT    NOT NULL,
  UNIQUE (handover, sequence)
) STRICT;

CREATE INDEX event_bot ON event (bot, position);

CREATE TABLE lane (
  handover         TEXT    NOT NULL PRIMARY KEY,
  bot              TEXT    NOT NULL,
  head             INTEGER NOT NULL,  -- the last sequence that is done with
  tail             INTEGER NOT NULL,  -- the last sequence that is to be delivered
  attempts         INTEGER NOT NULL DEFAULT 0,
  first_attempt_at INTEGER,
  due_at           INTEGER NOT NULL,
  stopped          INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX lane_ready ON lane (due_at) WHERE head < tail AND stopped = 0;

-- Events that left their lane undelivered.
CREATE TABLE delivery (
  event            TEXT    NOT NULL PRIMARY KEY,
  handover         TEXT    NOT NULL,
  sequence         INTEGER NOT NULL,
  bot              TEXT    NOT NULL,
  status           TEXT    NOT NULL,  -- aside, failed, done
  attempts         INTEGER NOT NULL,
  first_attempt_at INTEGER,
  due_at           INTEGER NOT NULL,
  reason           TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_aside ON delivery (due_at) WHERE status = 'aside';
CREATE INDEX delivery_failed ON delivery (bot, event) WHERE status = 'failed';
CREATE INDEX delivery_handover ON delivery (handover);

CREATE TABLE attempt (
  handover    TEXT    NOT NULL,
  sequence    INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  number      INTEGER NOT NULL,
  took_millis INTEGER NOT NULL,
  status      INTEGER,
  error       TEXT,
  PRIMARY KEY (handover, sequence, started_at, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  position          INTEGER NOT NULL PRIMARY KEY,
  id                TEXT    NOT NULL UNIQUE,
  handover          TEXT    NOT NULL,
  client_message_id TEXT,
  request_sha256    BLOB    NOT NULL,
  author            TEXT    NOT NULL,
  text              TEXT,
  cards             TEXT    NOT NULL,
  status            TEXT    NOT NULL,
  created_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX message_handover ON message (handover, position);
CREATE UNIQUE INDEX message_client_id ON message (handover, client_message_id) WHERE client_message_id IS NOT NULL;

-- Calls that must reach 8x8.
CREATE TABLE command (
  position   INTEGER NOT NULL PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,
  handover   TEXT    NOT NULL,
  state      TEXT    NOT NULL,        -- open, done, failed, unconfirmed
  created_at INTEGER NOT NULL,
  deadline   INTEGER NOT NULL,
  settled_at INTEGER,
  body       TEXT    NOT NULL
) STRICT;

CREATE INDEX command_open ON command (handover, position) WHERE state = 'open';
CREATE INDEX command_handover ON command (handover);

CREATE TABLE idempotency (
  bot            TEXT    NOT NULL,
  scope          TEXT    NOT NULL,
  key            TEXT    NOT NULL,
  request_sha256 BLOB    NOT NULL,
  handover       TEXT    NOT NULL,
  message        TEXT,
  created_at     INTEGER NOT NULL,
  status         INTEGER,             -- NULL until the first call has answered
  content_type   TEXT,
  location       TEXT,
  body           TEXT,
  PRIMARY KEY (bot, scope, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_created_at ON idempotency (created_at);

CREATE TABLE tenant_state (
  tenant TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

-- One row, written to learn whether writing works.
CREATE TABLE health (
  id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  checked_at INTEGER NOT NULL
) STRICT;
