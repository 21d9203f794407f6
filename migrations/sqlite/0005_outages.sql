-- When bots were away: the clocks of their deliveries stood still.

CREATE TABLE bot_outage (
  bot              TEXT    NOT NULL,
  since            INTEGER NOT NULL,
  until            INTEGER,           -- NULL while it lasts
  usual_per_minute INTEGER NOT NULL,  -- events the bot was used to before
  PRIMARY KEY (bot, since)
) STRICT, WITHOUT ROWID;
