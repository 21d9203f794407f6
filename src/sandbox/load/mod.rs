//! A signed load: MESSAGE events for given conversations, signed beforehand and posted as fast as the receiver takes
//! them. A conversation's own events keep their order; an event is repeated until it is acknowledged.

mod request;

mod sending;
mod signing;
mod tally;

pub(crate) use request::run;
