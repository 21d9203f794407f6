//! How the settings of this folder read one value, beyond what [`crate::setting`] offers. No message repeats a value
//! that may hold a secret.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;
use url::Url;

use crate::domain::EventType;
use crate::setting;

/// An absolute `http` or `https` address without a user name in it.
pub(super) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(text.trim()).map_err(|why| D::Error::custom(format!("is not a URL: {why}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(D::Error::custom("must be an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(D::Error::custom("must not carry a user name or password"));
    }
    Ok(url)
}

pub(super) fn optional_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    url(deserializer).map(Some)
}

pub(super) fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    let texts: Vec<String> = setting::list(deserializer)?;
    Ok(texts.into_iter().map(SecretString::from).collect())
}

pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A list whose faults are all reported, each with its place.
pub(super) fn each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    parse_each(deserializer, |text| text.parse().map_err(|why: T::Err| why.to_string()))
}

pub(super) fn event_types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<EventType>, D::Error> {
    parse_each(deserializer, |name| {
        EventType::parse(name).ok_or_else(|| format!("`{name}` is not the type of an event"))
    })
}

fn parse_each<'de, D, T>(deserializer: D, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let texts: Vec<String> = setting::list(deserializer)?;
    let mut items = Vec::new();
    let mut faults = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        match parse(text) {
            Ok(item) => items.push(item),
            Err(why) => faults.push(format!("item {}: {why}", place + 1)),
        }
    }
    if faults.is_empty() {
        Ok(items)
    } else {
        Err(D::Error::custom(faults.join("; ")))
    }
}
