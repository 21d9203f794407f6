//! The figures of a run: as a table for people, as JSON for programs.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

/// What a figure has to be.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    must: Option<Limit>,
    goal: Option<Limit>,
    compares: bool,
    disturbed: bool,
}

#[derive(Default)]
pub(crate) struct Report {
    sections: Vec<(String, Vec<Row>)>,
    notes: Vec<String>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            must: None,
            goal: None,
            compares: false,
            disturbed: false,
        }
    }

    pub(crate) fn must(mut self, limit: Limit) -> Self {
        self.must = Some(limit);
        self
    }

    pub(crate) fn goal(mut self, limit: Limit) -> Self {
        self.goal = Some(limit);
        self
    }

    /// It sets two measurements against each other: on a machine that others used it may be off either way, while others
    /// can only make a figure that stands for itself worse.
    pub(crate) fn comparing(mut self) -> Self {
        self.compares = true;
        self
    }

    fn verdict(&self) -> &'static str {
        if self.disturbed && self.compares {
            return "disturbed";
        }
        let holds = |limit: Limit| match limit {
            Limit::AtLeast(least) => self.value >= least,
            Limit::AtMost(most) => self.value <= most,
        };
        match (self.must.map(holds), self.goal.map(holds)) {
            (Some(false), _) if self.disturbed => "MISSED, disturbed",
            (Some(false), _) => "MISSED",
            (_, Some(true)) => "goal",
            (Some(true), _) => "must",
            (None, _) => "",
        }
    }
}

impl Limit {
    fn text(self) -> String {
        match self {
            Self::AtLeast(limit) => format!(">= {}", number(limit)),
            Self::AtMost(limit) => format!("<= {}", number(limit)),
        }
    }

    const fn value(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }
}

impl Report {
    pub(crate) fn section(&mut self, title: &str, rows: Vec<Row>) {
        self.sections.push((title.to_owned(), rows));
    }

    /// Others used the machine while the sections after the first `from` were measured.
    pub(crate) fn disturbed(&mut self, from: usize) {
        let rows = self.sections.iter_mut().skip(from).flat_map(|(_, rows)| rows);
        rows.for_each(|row| row.disturbed = true);
    }

    pub(crate) fn sections(&self) -> usize {
        self.sections.len()
    }

    /// Something that went otherwise than it should, told below the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "{:<54} {:>10} {:<9} {:>10} {:>10}  {}\n",
            "figure", "measured", "", "must", "goal", "reached"
        );
        for (title, rows) in &self.sections {
            line(&mut table, &format!("\n{title}"));
            for row in rows {
                let limit = |limit: Option<Limit>| limit.map(Limit::text).unwrap_or_default();
                let text = format!(
                    "  {:<52} {:>10} {:<9} {:>10} {:>10}  {}",
                    row.name,
                    number(row.value),
                    row.unit,
                    limit(row.must),
                    limit(row.goal),
                    row.verdict()
                );
                line(&mut table, text.trim_end());
            }
        }
        if !self.notes.is_empty() {
            line(&mut table, "\nnotes");
            for note in &self.notes {
                line(&mut table, &format!("  {note}"));
            }
        }
        table
    }

    pub(crate) fn json(&self, about: &Value) -> Value {
        let rows: Vec<Value> = self
            .sections
            .iter()
            .flat_map(|(title, rows)| rows.iter().map(move |row| (title, row)))
            .map(|(title, row)| {
                json!({
                    "section": title, "name": row.name, "value": row.value, "unit": row.unit,
                    "must": row.must.map(Limit::value), "goal": row.goal.map(Limit::value), "reached": row.verdict(),
                })
            })
            .collect();
        json!({"about": about, "figures": rows, "notes": self.notes})
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes every line");
}

/// Three digits that say something, thousands apart.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 10.0 => 2,
        middle if middle < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 && text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    };
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        Some(rest) => format!("{grouped}.{rest}"),
        None => grouped,
    }
}
