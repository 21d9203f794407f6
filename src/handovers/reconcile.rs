//! The task that compares live handovers with 8x8: those that are quiet, those just loaded after a restart, and those no
//! webhook came for. What was missed is told as if 8x8 had told it, once, whichever of the two comes first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::chat_gateway::ChatGatewayError;
use crate::chat_gateway::PastMessages;
use crate::chat_gateway::SaidView;
use crate::domain::Agent;
use crate::domain::Handover;
use crate::domain::HandoverId;
use crate::domain::Origin;
use crate::domain::State;
use crate::domain::TenantName;
use crate::domain::Timestamp;
use crate::domain::WebhookKind;
use crate::domain::transition::Input;
use crate::handovers::Handovers;
use crate::handovers::Tenant;
use crate::handovers::backfill;
use crate::handovers::backfill::Missed;
use crate::handovers::compare;
use crate::handovers::compare::There;
use crate::handovers::fill_in::fill_in;
use crate::handovers::metrics::Compared;
use crate::handovers::resolve::is_idle;
use crate::handovers::service::Along;
use crate::handovers::service::ChangeError;
use crate::handovers::session_map::Slot;

/// Between two comparisons of a tenant, each of two or three questions.
const PACE: Duration = Duration::from_millis(600);
/// Comparisons of a tenant under way at once.
const AT_ONCE: usize = 4;
/// Handovers looked at before others get a turn.
const BATCH: usize = 64;
/// After a restart 8x8 repeats what it could not deliver: that has a moment's precedence.
const FIRST_AFTER_RESTART: Duration = Duration::from_millis(500);
/// Events of what was just said are under way.
const SETTLE: Duration = Duration::from_secs(1);
/// 8x8's clock may be so far from ours.
const SKEW: Duration = Duration::from_secs(2);
const WIDE: Duration = Duration::from_mins(1);

/// The comparisons of one tenant.
#[derive(Debug, Default)]
struct Turn {
    free_at: Timestamp,
    under_way: Arc<()>,
}

/// Why a comparison came to nothing.
#[derive(Debug, thiserror::Error)]
enum Halted {
    #[error(transparent)]
    ChatGateway(#[from] ChatGatewayError),
    #[error("8x8 does not know the conversation")]
    Unknown,
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Handovers {
    /// Runs the comparisons until the stop.
    pub async fn run_reconcile(self: Arc<Self>, stop: CancellationToken) {
        let mut turns = HashMap::new();
        while !stop.is_cancelled() {
            let due = self.comparisons.take_due(self.parts.clock.now(), BATCH);
            for id in &due {
                self.take_turn(id, &mut turns).await;
            }
            if !due.is_empty() {
                continue;
            }
            let next = self.comparisons.next();
            let due = async {
                match next {
                    Some(at) => self.parts.clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = due => {}
                () = self.comparisons.changed() => {}
            }
        }
    }

    async fn take_turn(self: &Arc<Self>, id: &HandoverId, turns: &mut HashMap<TenantName, Turn>) {
        let Some(slot) = self.session_map.get(id) else { return };
        let (is_live, name) = {
            let handover = slot.handover.lock().await;
            (handover.state().is_live(), handover.facts.tenant.clone())
        };
        if !is_live {
            return self.stops(&slot, &name);
        }
        let now = self.parts.clock.now();
        let (Some(due), Some(tenant)) = (slot.pulse.due(), self.parts.tenants.tenant(&name)) else {
            return;
        };
        if due > now {
            return self.comparisons.add(due, id);
        }
        let turn = turns.entry(name).or_default();
        if turn.free_at > now || Arc::strong_count(&turn.under_way) > AT_ONCE {
            // Others wait too: not all of them ask again at the same moment.
            let later = turn.free_at.max(now).plus(PACE.mul_f64(rand::random_range(0.0..4.0)));
            return self.comparisons.add(later, id);
        }
        turn.free_at = now.plus(PACE);
        let (this, under_way) = (Arc::clone(self), Arc::clone(&turn.under_way));
        self.parts.supervisor.run(async move {
            let stop = this.parts.supervisor.stop_token();
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.look_after(&slot, &tenant) => {}
            }
            drop(under_way);
        });
    }

    async fn look_after(self: &Arc<Self>, slot: &Arc<Slot>, tenant: &Tenant) {
        if slot.pulse.falls_silent() {
            self.fell_silent(slot, tenant);
        }
        let compared = self.compare(slot, tenant).await;
        let (now, usual) = (self.parts.clock.now(), tenant.reconcile_after);
        let (outcome, due) = match compared {
            Ok(Compared::Same) => (Compared::Same, slot.pulse.nothing(now, usual)),
            Ok(outcome @ (Compared::Behind | Compared::Moved | Compared::Failed)) => (outcome, slot.pulse.found(now)),
            Err(error) => {
                tracing::debug!(handover.id = %slot.id, error = %error, "8x8 could not be asked what was missed");
                let at_least = match &error {
                    Halted::ChatGateway(error) => error.retry_after().unwrap_or_default(),
                    Halted::Unknown | Halted::Change(_) => Duration::ZERO,
                };
                (Compared::Failed, slot.pulse.failed(now, usual, at_least))
            }
        };
        self.parts.metrics.compared(outcome);
        self.comparisons.add(due, &slot.id);
    }

    async fn compare(self: &Arc<Self>, slot: &Arc<Slot>, tenant: &Tenant) -> Result<Compared, Halted> {
        let before = slot.handover.lock().await.clone();
        if !is_comparable(before.state()) {
            return Ok(Compared::Same);
        }
        let Some((there, mut said)) = self.look_there(slot, tenant, &before).await? else {
            return Ok(Compared::Same);
        };
        self.ask_for_contents(&before, tenant, &mut said).await?;
        self.redact_read(&before.facts.account, &mut said.messages);
        let newest = said.messages.iter().filter_map(|said| said.created_at).max();
        let is_unsettled = newest.is_some_and(|at| at > there.asked_at.minus(SETTLE)) && !there.is_over;
        let mut handover = slot.handover.lock().await;
        if handover.version != before.version || (is_unsettled && !slot.pulse.is_suspect()) {
            return Ok(Compared::Moved);
        }
        let told = self
            .told(&handover, tenant.message_limit)
            .await
            .map_err(ChangeError::from)?;
        let missing = missing(&handover, said.messages, &told.said);
        let missed = compare::missed(&handover, &there, missing, told.queue.as_deref());
        let logged = handover.progress.last_sequence;
        for missed in missed {
            let Some((mut event, at)) = missed.event(&handover) else {
                break;
            };
            if let WebhookKind::Queued(queue) = &mut event.kind {
                *queue = tenant.queue(queue.id.clone());
            }
            let event = self.told_as(&handover, event);
            let input = Input::Backfilled { event, at };
            self.change_locked(slot, &mut handover, input, Along::default()).await?;
        }
        let events = handover.progress.last_sequence.saturating_sub(logged);
        if events == 0 {
            return Ok(Compared::Same);
        }
        self.parts.metrics.backfilled(events);
        tracing::info!(handover.id = %slot.id, events, "no webhook had told what 8x8 keeps of a conversation: it was read from 8x8");
        Ok(Compared::Behind)
    }

    /// Asks 8x8: first where the conversation stands, then what was said, so that nothing said before an end is missed.
    async fn look_there(
        &self,
        slot: &Slot,
        tenant: &Tenant,
        handover: &Handover,
    ) -> Result<Option<(There, PastMessages)>, Halted> {
        let Some(conversation) = &handover.progress.conversation else {
            return Ok(None);
        };
        let (gateway, asked_at) = (&tenant.chat_gateway, self.parts.clock.now());
        let view = match gateway.get(conversation).await {
            Ok(view) => Some(view),
            Err(error) if error.is_not_found() && slot.pulse.is_gone() => None,
            Err(error) if error.is_not_found() => return Err(Halted::Unknown),
            Err(error) => return Err(error.into()),
        };
        let mut there = There {
            is_over: view.as_ref().is_none_or(is_idle),
            assigned: view.and_then(|view| view.assignment),
            participants: Vec::new(),
            asked_at,
        };
        let said = match gateway.said_since(conversation, since(handover).minus(WIDE)).await {
            Ok(said) => said,
            Err(error) if error.is_not_found() && there.is_over => nothing_said(),
            Err(error) => return Err(error.into()),
        };
        if there.is_over || slot.pulse.is_suspect() || is_news(handover, &there) {
            there.participants = match gateway.participants(conversation).await {
                Ok(participants) => participants,
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(Some((there, said)))
    }

    /// What 8x8's list shows without anything in it is asked for by itself, where it is missing.
    async fn ask_for_contents(
        &self,
        handover: &Handover,
        tenant: &Tenant,
        said: &mut PastMessages,
    ) -> Result<(), Halted> {
        if !said.messages.iter().any(SaidView::is_bare) {
            return Ok(());
        }
        let told = self
            .told(handover, tenant.message_limit)
            .await
            .map_err(ChangeError::from)?;
        let mut missing = missing(handover, said.messages.clone(), &told.said);
        fill_in(Some(tenant), handover, &mut missing).await;
        for (_, full) in missing {
            let place = said
                .messages
                .iter_mut()
                .find(|said| said.id == full.id && full.id.is_some());
            if let Some(place) = place {
                *place = full;
            }
        }
        Ok(())
    }
}

impl Handovers {
    /// After a restart, or when their tenant is back: everyone is looked at once, spread so that 8x8 is asked at the usual pace.
    pub(super) fn look_at_all(&self, slots: &[(Arc<Slot>, TenantName)]) {
        let now = self.parts.clock.now();
        let mut of_tenant: HashMap<&TenantName, u32> = HashMap::new();
        for (_, tenant) in slots {
            *of_tenant.entry(tenant).or_default() += 1;
        }
        for (slot, tenant) in slots {
            let count = of_tenant.get(tenant).copied().unwrap_or(1);
            let spread = PACE.saturating_mul(count).mul_f64(rand::random_range(0.0..1.0));
            let due = now.plus(FIRST_AFTER_RESTART).plus(spread);
            slot.pulse.restore(due, self.usual(tenant));
            self.comparisons.add(due, &slot.id);
        }
    }

    /// A conversation that 8x8 has taken is watched from now on.
    pub(super) fn begins(&self, slot: &Slot, tenant: &TenantName) {
        if let Some(due) = slot.pulse.begin(self.parts.clock.now(), self.usual(tenant)) {
            self.comparisons.add(due, &slot.id);
        }
    }

    /// An event of 8x8's came for it; `backfilled` is how much it had told too late before and after.
    pub(super) fn hears(&self, slot: &Slot, handover: &Handover, backfilled: usize) {
        let now = self.parts.clock.now();
        let beats = slot.pulse.hear(now, self.usual(&handover.facts.tenant));
        if beats.silent_no_longer {
            self.silent_no_longer(&handover.facts.tenant);
        }
        if let Some(due) = beats.earlier {
            self.comparisons.add(due, &slot.id);
        }
        if handover.progress.backfilled.len() < backfilled {
            self.parts.metrics.late();
            self.comparisons.add(slot.pulse.doubt(now), &slot.id);
        }
    }

    fn stops(&self, slot: &Slot, tenant: &TenantName) {
        if slot.pulse.stop() {
            self.silent_no_longer(tenant);
        }
    }

    fn silent_no_longer(&self, tenant: &TenantName) {
        self.parts.metrics.silent_no_longer();
        if let Some(tenant) = self.parts.tenants.tenant(tenant) {
            tenant.standing.silent_no_longer();
        }
    }

    fn fell_silent(&self, slot: &Slot, tenant: &Tenant) {
        self.parts.metrics.fell_silent();
        let Some(refused) = tenant.standing.falls_silent() else {
            return;
        };
        tracing::warn!(
            handover.id = %slot.id,
            tenant = %tenant.name,
            webhooks.refused = refused,
            "8x8 took a conversation and no webhook came for it within 30 s. Perhaps the channel has no webhook or another \
             address (run `handover-gateway doctor`), the path secret in the address is another, signatures are refused \
             (webhooks.refused counts those since the last good one), or a firewall stands between. Until webhooks come, \
             8x8 is asked every few seconds"
        );
    }

    fn usual(&self, tenant: &TenantName) -> Duration {
        let tenant = self.parts.tenants.tenant(tenant);
        tenant.map_or(USUAL, |tenant| tenant.reconcile_after)
    }
}

/// For a tenant that is not configured any more.
const USUAL: Duration = Duration::from_mins(5);

const fn is_comparable(state: State) -> bool {
    match state {
        State::Queued | State::Active | State::Transferring | State::Bot => true,
        State::Creating | State::Ended | State::Failed => false,
    }
}

/// From when on 8x8's record is this handover's: what was said on the conversation before belongs to another.
fn since(handover: &Handover) -> Timestamp {
    let facts = &handover.facts;
    let from = match facts.reopened_from {
        Some(_) => facts.created_at.plus(SKEW),
        None => facts.created_at.minus(WIDE),
    };
    let latest = [facts.recovered_at, handover.progress.erased_at]
        .into_iter()
        .flatten()
        .max();
    latest.map_or(from, |at| from.max(at))
}

/// Whether 8x8 has it assigned to an agent nobody has told of, or no longer to one who was told to be there.
fn is_news(handover: &Handover, there: &There) -> bool {
    let agents = &handover.progress.agents;
    let is_present = |id: &str| agents.get(id).is_some_and(Agent::is_present);
    match there.agent() {
        Some(assigned) => !is_present(assigned),
        None => !agents.nobody_present(),
    }
}

const fn nothing_said() -> PastMessages {
    PastMessages {
        messages: Vec::new(),
        is_all: true,
    }
}

/// What was said in this handover and is not in its log. What comes close before its time takes part in the search for
/// what is known, so that the same words later are not mistaken.
fn missing(handover: &Handover, theirs: Vec<SaidView>, known: &[backfill::Known]) -> Vec<(Timestamp, SaidView)> {
    let from = since(handover);
    let times = (from.minus(WIDE), Timestamp::from_millis(i64::MAX));
    let is_led = handover.facts.origin == Origin::Channel && handover.state() == State::Bot;
    let missed = if is_led { Missed::AgentsAndUser } else { Missed::Agents };
    let mut missing = backfill::missing(theirs, known, times, missed);
    // What the user wrote to the agents, before these left, is not the bot's.
    let users = handover.progress.state_mark.map_or(i64::MIN, |mark| mark);
    let nobody_ever = handover.progress.agents.nobody_ever();
    let is_the_bots = |at: Timestamp| nobody_ever || at.as_millis() >= users;
    missing.retain(|(at, said)| *at >= from && (said.author_type != "user" || is_the_bots(*at)));
    missing
}
