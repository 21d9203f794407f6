-- Since when nothing was delivered of a lane that has something, and whether the agent was told that the user is not receiving messages.
ALTER TABLE lane ADD COLUMN quiet_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE lane SET quiet_since = COALESCE(first_attempt_at, due_at) WHERE head < tail;
CREATE INDEX lane_held ON lane (quiet_since, handover) WHERE head < tail AND told = 0;
CREATE INDEX lane_told ON lane (handover) WHERE told = 1;

-- 1 where the event was asked for again. Of a handover's one at a time is `aside`, the others are `waiting`.
ALTER TABLE delivery ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_replay ON delivery (handover) WHERE status = 'aside' AND replay = 1;
CREATE INDEX delivery_waiting ON delivery (handover, sequence) WHERE status = 'waiting';
CREATE INDEX delivery_failed_at ON delivery (bot, due_at, event) WHERE status = 'failed';

-- A delivery is asked for by its event's id.
CREATE UNIQUE INDEX event_id ON event (id);

-- The head of a lane that its bot stopped with 410 is listed as failed, and stays the lane's head.
INSERT OR IGNORE INTO delivery (event, handover, sequence, bot, status, attempts, first_attempt_at, due_at, reason)
 SELECT e.id, e.handover, e.sequence, e.bot, 'failed', l.attempts, l.first_attempt_at, l.due_at, 'gone'
 FROM lane l JOIN event e ON e.handover = l.handover AND e.sequence =
  (SELECT min(x.sequence) FROM event x WHERE x.handover = l.handover AND x.sequence > l.head AND x.deliver = 1)
 WHERE l.stopped = 1;

-- The gateway's own words to the agent, which no bot posted.
ALTER TABLE message ADD COLUMN notice INTEGER NOT NULL DEFAULT 0;
