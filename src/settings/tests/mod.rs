//! The settings from outside: layers, faults, secrets, and the default file against the structs.

mod credentials;
mod defaults;
mod faults;
mod layers;
mod offers;
mod reload;
mod secrets;
mod support;
