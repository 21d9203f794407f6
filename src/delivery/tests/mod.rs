//! Delivery over real sockets on loopback, with a small store that knows lanes only and a clock that tests move.

mod blame;
mod breaker;
mod ephemeral;
mod fake_book;
mod fake_bot;
mod fake_store;
mod fuzz;
mod lanes;
mod lines;
mod outages;
mod rig;
