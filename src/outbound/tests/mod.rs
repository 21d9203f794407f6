//! What may be dialled, tried in every notation and by chance.

mod addresses;
mod fuzz;
mod names;
mod oracle;
