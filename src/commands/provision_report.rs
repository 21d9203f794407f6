//! What `provision` says of each tenant, for people and for programs.

use serde::Serialize;

use crate::chat_gateway::ChannelView;
use crate::chat_gateway::EVENT_VERSION;
use crate::chat_gateway::WebhookView;
use crate::domain::TenantName;
use crate::provisioning::Carried;
use crate::provisioning::Explained;
use crate::provisioning::Plan;
use crate::provisioning::Step;
use crate::provisioning::StepState;
use crate::provisioning::Wanted;
use crate::provisioning::masked;
use crate::store::Registration;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    tenant: TenantName,
    applied: bool,
    /// Whether 8x8 was changed, or would be.
    changes: bool,
    webhook: Option<WebhookLine>,
    channel: Option<ChannelLine>,
    /// The address the webhook is to have.
    address: String,
    drift: Vec<String>,
    steps: Vec<StepLine>,
    notes: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookLine {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChannelLine {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepLine {
    step: &'static str,
    state: &'static str,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Problem {
    what: String,
    next: Option<String>,
}

impl Report {
    pub(super) fn new(tenant: &TenantName, wanted: &Wanted, applied: bool) -> Self {
        Self {
            tenant: tenant.clone(),
            applied,
            changes: false,
            webhook: None,
            channel: None,
            address: masked(&wanted.uri()),
            drift: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, explained: Explained) {
        self.problems.push(Problem {
            what: explained.what,
            next: Some(explained.next),
        });
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(super) fn planned(&mut self, plan: &Plan, wanted: &Wanted) {
        self.changes = plan.has_changes();
        self.webhook = plan.webhook.as_ref().map(WebhookLine::from);
        self.channel = plan.channel.as_ref().map(ChannelLine::from);
        self.drift.clone_from(&plan.drift);
        self.notes.extend(plan.notes.iter().cloned());
        let problem = |what: &String| Problem {
            what: what.clone(),
            next: None,
        };
        self.problems.extend(plan.problems.iter().map(problem));
        let step = |step: &Step| StepLine {
            step: step.name(),
            state: state(StepState::Planned),
            description: step.describe(wanted),
            detail: None,
        };
        self.steps = plan.steps.iter().map(step).collect();
    }

    pub(super) fn carried(&mut self, carried: Vec<Carried>, wanted: &Wanted) {
        for (place, carried) in carried.into_iter().enumerate() {
            let Some(line) = self.steps.get_mut(place) else {
                return;
            };
            line.state = state(carried.state);
            line.detail = carried.why.as_ref().map(|why| why.what.clone());
            if carried.state == StepState::Done {
                self.done(&carried.step, wanted);
            }
            if let (StepState::Failed, Some(why)) = (carried.state, carried.why) {
                let what = format!("could not {}: {}", carried.step.describe(wanted), why.what);
                self.problems.push(Problem {
                    what,
                    next: Some(why.next),
                });
            }
        }
    }

    /// What is there is shown as it is now, and not as it was found.
    fn done(&mut self, step: &Step, wanted: &Wanted) {
        match step {
            Step::Verify { .. } | Step::CreateWebhook(_) | Step::CreateChannel(_) => {}
            Step::ReplaceWebhook { id, write } => self.webhook = Some(WebhookLine::written(id, &write.name, wanted)),
            Step::ReplaceChannel { id, write } => {
                self.channel = Some(ChannelLine {
                    id: id.clone(),
                    name: Some(write.name.clone()),
                    queue_id: Some(write.queue_id.clone()),
                });
            }
            Step::DeleteChannel { .. } => self.channel = None,
            Step::DeleteWebhook { .. } => self.webhook = None,
        }
    }

    /// What is there after it was all done.
    pub(super) fn registered(&mut self, registration: Option<&Registration>, wanted: &Wanted) {
        let Some(registration) = registration else { return };
        if self
            .webhook
            .as_ref()
            .is_none_or(|webhook| webhook.id != registration.webhook_id)
        {
            self.webhook = Some(WebhookLine::written(&registration.webhook_id, &wanted.name, wanted));
        }
        if self
            .channel
            .as_ref()
            .is_none_or(|channel| channel.id != registration.channel_id)
        {
            self.channel = Some(ChannelLine {
                id: registration.channel_id.clone(),
                name: Some(wanted.name.clone()),
                queue_id: wanted.queue_id.clone(),
            });
        }
    }

    pub(super) fn kept(&mut self, kept: Result<(), Explained>) {
        if let Err(problem) = kept {
            self.problem(problem);
        }
    }

    fn text(&self) -> String {
        let webhook = self.webhook.as_ref().map_or_else(
            || "none".to_owned(),
            |webhook| format!("{} {}", webhook.id, webhook.uri.as_deref().unwrap_or("no address")),
        );
        let channel = self.channel.as_ref().map_or_else(
            || "none".to_owned(),
            |channel| format!("{} queue {}", channel.id, channel.queue_id.as_deref().unwrap_or("none")),
        );
        let mut lines = vec![("webhook", webhook), ("channel", channel)];
        lines.extend(self.drift.iter().map(|drift| ("drift", drift.clone())));
        for step in &self.steps {
            let detail = step.detail.iter().map(|detail| format!(" ({detail})"));
            lines.push((
                step.state,
                format!("{}{}", step.description, detail.collect::<String>()),
            ));
        }
        lines.extend(self.notes.iter().map(|note| ("note", note.clone())));
        for problem in &self.problems {
            lines.push(("problem", problem.what.clone()));
            lines.extend(problem.next.iter().map(|next| ("", format!("-> {next}"))));
        }
        if self.steps.is_empty() && self.problems.is_empty() {
            lines.push(("", "all is as it is to be".to_owned()));
        }
        let lines = lines.iter().map(|(name, what)| format!("  {name:8} {what}\n"));
        format!("tenant {}\n{}", self.tenant, lines.collect::<String>())
    }
}

const fn state(state: StepState) -> &'static str {
    match state {
        StepState::Planned => "planned",
        StepState::Done => "done",
        StepState::Warned => "warning",
        StepState::Failed => "failed",
    }
}

impl WebhookLine {
    fn written(id: &str, name: &str, wanted: &Wanted) -> Self {
        Self {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            uri: Some(masked(&wanted.uri())),
            version: Some(EVENT_VERSION.to_owned()),
        }
    }
}

impl From<&WebhookView> for WebhookLine {
    fn from(view: &WebhookView) -> Self {
        Self {
            id: view.id.clone(),
            name: view.name.clone(),
            uri: view.uri.as_deref().map(masked),
            version: view.version.clone(),
        }
    }
}

impl From<&ChannelView> for ChannelLine {
    fn from(view: &ChannelView) -> Self {
        Self {
            id: view.id.clone(),
            name: view.name.clone(),
            queue_id: view.queue_id.clone(),
        }
    }
}

pub(super) fn print(reports: &[Report], as_json: bool) -> String {
    let ok = reports.iter().all(|report| report.problems.is_empty());
    let changes = reports.iter().any(|report| report.changes);
    if as_json {
        let whole = serde_json::json!({"ok": ok, "changes": changes, "tenants": reports});
        return format!("{whole:#}\n");
    }
    let mut text: String = reports.iter().map(Report::text).collect();
    if changes && reports.iter().any(|report| !report.applied) {
        text.push_str("Nothing was changed. Run it again with --apply to do this.\n");
    }
    text
}
