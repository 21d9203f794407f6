//! From the log to the bots.
