-- Who did what to what is kept. Never people's words, never a secret.
CREATE TABLE audit (
  position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,        -- bot:support, operator, cli, signal, gateway
  action     TEXT    NOT NULL,
  target     TEXT,                    -- the id of a handover or a delivery, or a name from the settings
  request_id TEXT,
  outcome    TEXT    NOT NULL,
  counts     TEXT    NOT NULL         -- JSON: names of ours, and numbers
) STRICT;

-- Entries are added, and go by their age; none is changed.
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'entries of the audit log are not changed');
END;

-- Whether what people said and who they are is there (0), being erased (1), or gone (2).
ALTER TABLE handover ADD COLUMN content INTEGER NOT NULL DEFAULT 0;

CREATE INDEX handover_with_content ON handover (ended_at) WHERE live = 0 AND content = 0;
CREATE INDEX handover_being_erased ON handover (id) WHERE content = 1;
CREATE INDEX idempotency_handover ON idempotency (handover);
