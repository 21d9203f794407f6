//! The body that re-routes a handover or tells more of its user.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::UpdateHandover;
use crate::handovers::Tenant;
use crate::http::api::faults::Faults;
use crate::http::api::user_body::Own;
use crate::http::api::user_body::UserBody;
use crate::http::problem::Refusal;

/// At least one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateHandover, example = json!({"queueId": "124", "user": {"additionalProperties": [{"key": "Tier", "value": "gold"}]}}))]
pub(in crate::http) struct UpdateBody {
    /// Where the handover is to wait, while it waits or while the bot leads.
    #[schema(example = "124")]
    queue_id: Option<String>,
    /// What is given replaces what is known; properties are merged by their keys.
    user: Option<UserBody>,
}

impl UpdateBody {
    pub(super) fn check(self, own: Own, tenant: &Tenant) -> Result<UpdateHandover, Refusal> {
        let mut faults = Faults::default();
        if self.queue_id.is_none() && self.user.is_none() {
            faults.add("", "must have `queueId` or `user`");
        }
        let queue_id = faults.id("/queueId", self.queue_id);
        let update = UpdateHandover {
            chain: queue_id.as_deref().map(|id| tenant.chain(id)).unwrap_or_default(),
            queue_id,
            user: self.user.map(|user| user.check(own, &mut faults)),
        };
        faults.or(update)
    }
}
