//! The one place that builds HTTP clients, and the rules about which addresses they may reach.

mod address;
mod callback_url;
mod client;
mod error;
mod fetch;
mod policy;
mod resolver;
mod settings;
#[cfg(test)]
mod tests;

pub use callback_url::CallbackUrlError;
pub use callback_url::allowed_host;
pub use callback_url::check_callback_url;
pub use client::for_callbacks;
pub use client::for_chat_gateway;
pub use error::OutboundError;
pub use fetch::FetchFault;
pub use fetch::Fetched;
pub use fetch::Fetcher;
pub use policy::AddressPolicy;
pub use policy::Authority;
pub use policy::UrlFault;
pub use resolver::NameNotFound;
pub use resolver::RefusedAddress;
pub use settings::OutboundSettings;
