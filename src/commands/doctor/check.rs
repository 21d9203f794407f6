//! What a check found, and how all of them are printed.

use serde::Serialize;

use crate::domain::BotName;
use crate::domain::TenantName;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    Warn,
    Fail,
    Skipped,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    #[serde(rename = "check")]
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<BotName>,
    pub(super) verdict: Verdict,
    detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            tenant: None,
            bot: None,
            verdict: Verdict::Ok,
            detail: detail.into(),
            next: None,
        }
    }

    pub(super) fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            ..Self::ok(name, detail)
        }
    }

    pub(super) fn warn(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            next: Some(next.into()),
            ..Self::ok(name, detail)
        }
    }

    pub(super) fn fail(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(name, detail, next)
        }
    }

    pub(super) fn of_tenant(mut self, tenant: &TenantName) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    pub(super) fn of_bot(mut self, bot: &BotName) -> Self {
        self.bot = Some(bot.clone());
        self
    }

    fn place(&self) -> String {
        match (&self.tenant, &self.bot) {
            (Some(tenant), _) => format!("tenants.{tenant}"),
            (None, Some(bot)) => format!("bots.{bot}"),
            (None, None) => "gateway".to_owned(),
        }
    }
}

pub(super) fn has_failed(checks: &[Check]) -> bool {
    checks.iter().any(|check| check.verdict == Verdict::Fail)
}

pub(super) fn print(checks: &[Check], as_json: bool) -> String {
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (ok, warn) = (count(Verdict::Ok), count(Verdict::Warn));
    let (fail, skipped) = (count(Verdict::Fail), count(Verdict::Skipped));
    if as_json {
        let counts = serde_json::json!({"ok": ok, "warn": warn, "fail": fail, "skipped": skipped});
        let whole = serde_json::json!({"ok": fail == 0, "counts": counts, "checks": checks});
        return format!("{whole:#}\n");
    }
    let width = |column: fn(&Check) -> usize| checks.iter().map(column).max().unwrap_or(0);
    let (places, names) = (width(|check| check.place().len()), width(|check| check.name.len()));
    let mut lines = Vec::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Skipped => "skipped",
        };
        let (place, name, detail) = (check.place(), check.name, &check.detail);
        lines.push(format!("{verdict:7}  {place:places$}  {name:names$}  {detail}\n"));
        let next = check.next.iter();
        lines.extend(next.map(|next| format!("{:7}  {:places$}  {:names$}  -> {next}\n", "", "", "")));
    }
    lines.push(format!(
        "\n{ok} ok, {warn} warnings, {fail} failed, {skipped} skipped\n"
    ));
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_json_say_the_same() {
        let checks = [
            Check::ok("configuration", "reads well"),
            Check::fail("8x8-access", "8x8 does not take the API key (401)", "check the key")
                .of_tenant(&TenantName::new("acme")),
            Check::skipped("callback", "it pulls its events").of_bot(&BotName::new("support")),
        ];
        insta::assert_snapshot!(print(&checks, false), @r"
        ok       gateway       configuration  reads well
        FAIL     tenants.acme  8x8-access     8x8 does not take the API key (401)
                                              -> check the key
        skipped  bots.support  callback       it pulls its events

        1 ok, 0 warnings, 1 failed, 1 skipped
        ");
        insta::assert_snapshot!(print(&checks, true), @r#"
        {
          "checks": [
            {
              "check": "configuration",
              "detail": "reads well",
              "verdict": "ok"
            },
            {
              "check": "8x8-access",
              "detail": "8x8 does not take the API key (401)",
              "next": "check the key",
              "tenant": "acme",
              "verdict": "fail"
            },
            {
              "bot": "support",
              "check": "callback",
              "detail": "it pulls its events",
              "verdict": "skipped"
            }
          ],
          "counts": {
            "fail": 1,
            "ok": 1,
            "skipped": 1,
            "warn": 0
          },
          "ok": false
        }
        "#);
        assert!(has_failed(&checks));
    }
}
