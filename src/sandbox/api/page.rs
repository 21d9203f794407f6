//! Lists: `size`, `page`, `sort`, `filter`, and the HAL envelope around one page.

use http::StatusCode;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::sandbox::problem::Problem;

const DEFAULT_SIZE: usize = 20;
const LARGEST_SIZE: usize = 1000;

/// One entry before it is shown: what it can be sorted and filtered by.
pub(super) struct Row<'a, T> {
    pub(super) id: &'a str,
    pub(super) created_at: (i64, u64),
    pub(super) name: Option<&'a str>,
    pub(super) item: T,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    size: usize,
    page: usize,
    by_date: bool,
    descending: bool,
    /// `name==value`, the one filter 8x8 documents.
    name: Option<String>,
}

/// What a list can be asked for.
#[derive(Clone, Copy)]
pub(super) enum ListKind {
    /// Sorted by `id` or `createdAt`; names can be filtered.
    Named,
    /// Sorted by `id` or `createdAt`; which fields can be filtered is not documented, so none.
    Conversations,
    /// Sorted by `createdAt` only, newest first.
    Messages,
    /// No sorting.
    Plain,
}

impl ListQuery {
    pub(super) fn read(query: Option<&str>, kind: ListKind) -> Result<Self, Problem> {
        let newest_first = matches!(kind, ListKind::Messages);
        let mut read = Self {
            size: DEFAULT_SIZE,
            page: 0,
            by_date: newest_first,
            descending: newest_first,
            name: None,
        };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match (key.as_ref(), kind) {
                ("size", _) => read.size = number(&key, &value)?,
                ("page", _) => read.page = number(&key, &value)?,
                ("sort", _) => read.sort(&value, kind)?,
                ("filter", ListKind::Named) => read.name = Some(name_filter(&value)?),
                _ => {
                    return Err(refused(&format!(
                        "Parameter {key} with value {value} is not supported."
                    )));
                }
            }
        }
        if read.size == 0 || read.size > LARGEST_SIZE {
            return Err(refused(&format!("size must be 1 to {LARGEST_SIZE}.")));
        }
        Ok(read)
    }

    fn sort(&mut self, value: &str, kind: ListKind) -> Result<(), Problem> {
        let (field, direction) = value.split_once(':').unwrap_or((value, "asc"));
        self.by_date = match (field, kind) {
            ("createdAt" | "createdDate", ListKind::Messages | ListKind::Named | ListKind::Conversations) => true,
            ("id", ListKind::Named | ListKind::Conversations | ListKind::Plain) => false,
            _ => return Err(refused(&format!("Sorting by {field} is not supported."))),
        };
        self.descending = match direction {
            "asc" => false,
            "desc" => true,
            _ => return Err(refused(&format!("{direction} is no sort direction."))),
        };
        Ok(())
    }

    /// One page of the rows under the key the list has in `_embedded`, which is missing when the page is empty.
    pub(super) fn envelope<T>(
        &self,
        path: Option<&str>,
        key: &str,
        mut rows: Vec<Row<'_, T>>,
        show: impl Fn(&T) -> Value,
    ) -> Value {
        rows.retain(|row| self.name.as_deref().is_none_or(|wanted| row.name == Some(wanted)));
        rows.sort_by(|a, b| {
            let order = if self.by_date {
                a.created_at.cmp(&b.created_at)
            } else {
                a.id.cmp(b.id)
            };
            if self.descending { order.reverse() } else { order }
        });
        let total = rows.len();
        let shown: Vec<Value> = rows
            .iter()
            .skip(self.page.saturating_mul(self.size))
            .take(self.size)
            .map(|row| show(&row.item))
            .collect();
        let mut envelope = Map::new();
        if !shown.is_empty() {
            envelope.insert("_embedded".to_owned(), json!({ key: shown }));
        }
        if let Some(path) = path {
            let href = format!("{path}?page={}&size={}", self.page, self.size);
            envelope.insert("_links".to_owned(), json!({"self": {"href": href}}));
        }
        let page = json!({
            "size": self.size,
            "number": self.page,
            "totalElements": total,
            "totalPages": total.div_ceil(self.size),
        });
        envelope.insert("page".to_owned(), page);
        Value::Object(envelope)
    }
}

fn number(key: &str, value: &str) -> Result<usize, Problem> {
    value.parse().map_err(|error| refused(&format!("{key}: {error}.")))
}

fn name_filter(value: &str) -> Result<String, Problem> {
    match value.split_once("==") {
        Some(("name", name)) if !name.contains([',', ';', '(']) => Ok(name.to_owned()),
        _ => Err(refused(&format!("Filter {value} is not supported."))),
    }
}

fn refused(message: &str) -> Problem {
    Problem::general(StatusCode::BAD_REQUEST, "invalid_parameter", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, at: i64) -> Row<'_, &str> {
        Row {
            id,
            created_at: (at, 0),
            name: Some(id),
            item: id,
        }
    }

    fn list(query: &str, kind: ListKind) -> Value {
        let rows = vec![row("b", 1), row("a", 2), row("c", 3)];
        ListQuery::read(Some(query), kind)
            .unwrap()
            .envelope(Some("/x"), "items", rows, |id| json!(id))
    }

    #[test]
    fn lists_go_by_id_unless_told_otherwise() {
        assert_eq!(list("", ListKind::Named)["_embedded"]["items"], json!(["a", "b", "c"]));
        assert_eq!(
            list("sort=createdAt%3Adesc&size=2", ListKind::Named)["_embedded"]["items"],
            json!(["c", "a"])
        );
        assert_eq!(
            list("", ListKind::Messages)["_embedded"]["items"],
            json!(["c", "a", "b"])
        );
    }

    #[test]
    fn an_empty_page_has_no_embedded_list() {
        let page = list("page=2&size=2", ListKind::Named);
        assert_eq!(page.get("_embedded"), None);
        assert_eq!(
            page["page"],
            json!({"size": 2, "number": 2, "totalElements": 3, "totalPages": 2})
        );
    }

    #[test]
    fn filters_other_than_a_name_are_refused() {
        assert_eq!(
            list("filter=name%3D%3Db", ListKind::Named)["_embedded"]["items"],
            json!(["b"])
        );
        assert!(ListQuery::read(Some("filter=name==b"), ListKind::Conversations).is_err());
        assert!(ListQuery::read(Some("filter=state==idle"), ListKind::Named).is_err());
        assert!(ListQuery::read(Some("sort=text:asc"), ListKind::Messages).is_err());
        assert!(ListQuery::read(Some("limit=3"), ListKind::Named).is_err());
    }
}
