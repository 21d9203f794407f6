//! Who may try what now. Claims live in memory only: with the process they are gone, and every lane is free.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::store::Target;

#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    by: HashMap<Target, Claim>,
    last_epoch: u64,
}

struct Claim {
    epoch: u64,
    /// A settlement is being written: a second one of the same claim finds it gone.
    settling: bool,
}

impl Claims {
    /// Takes those that nobody holds.
    pub(super) fn reserve(&self, targets: Vec<Target>) -> Vec<Reservation> {
        let mut held = self.lock();
        targets
            .into_iter()
            .filter_map(|target| {
                if held.by.contains_key(&target) {
                    return None;
                }
                held.last_epoch += 1;
                let epoch = held.last_epoch;
                let claim = Claim { epoch, settling: false };
                held.by.insert(target.clone(), claim);
                let claims = Some(self.clone());
                Some(Reservation { target, epoch, claims })
            })
            .collect()
    }

    pub(super) fn is_held(&self, target: &Target) -> bool {
        self.lock().by.contains_key(target)
    }

    /// Whether this settlement may be written: the claim is held under its epoch, and no other settles it.
    pub(super) fn begin_settling(&self, target: &Target, epoch: u64) -> bool {
        match self.lock().by.get_mut(target) {
            Some(claim) if claim.epoch == epoch && !claim.settling => {
                claim.settling = true;
                true
            }
            _ => false,
        }
    }

    /// Ends the claims whose settlement is on disk, or gives them back to their holders when it is not.
    pub(super) fn end_settling(&self, settled: &[(Target, u64)], committed: bool) {
        let mut held = self.lock();
        for (target, epoch) in settled {
            match held.by.get_mut(target) {
                Some(claim) if claim.epoch == *epoch && committed => {
                    held.by.remove(target);
                }
                Some(claim) if claim.epoch == *epoch => claim.settling = false,
                _ => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target taken before it is known whether anything is due there. Dropped, it is free again: neither an empty lane nor a
/// caller who stopped waiting leaves it held.
pub(super) struct Reservation {
    target: Target,
    epoch: u64,
    claims: Option<Claims>,
}

impl Reservation {
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Makes it a claim, which only a settlement ends.
    pub(super) fn keep(mut self) -> (Target, u64) {
        self.claims = None;
        (self.target.clone(), self.epoch)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(claims) = self.claims.take() {
            claims.lock().by.remove(&self.target);
        }
    }
}
