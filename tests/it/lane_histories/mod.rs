//! Random histories of the dispatcher over a real store and real sockets, with the end of its process at any point in them.

mod histories;
mod ledger;
mod rig;
mod steps;
