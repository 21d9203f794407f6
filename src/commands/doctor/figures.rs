//! What the running gateway counts: room for its store, and what does not reach its bots.

use crate::commands::doctor::Doctor;
use crate::commands::doctor::check::Check;

const DISK: &str = "disk";
const DELIVERIES: &str = "deliveries";
const MIB: f64 = 1024.0 * 1024.0;
/// An event that waits longer does so for a reason.
const LONG: f64 = 60.0;

/// The text of `/metrics`.
struct Figures(String);

pub(super) async fn checks(doctor: &Doctor<'_>) -> Vec<Check> {
    match doctor.admin.metrics().await.map(Figures) {
        Some(figures) => vec![disk(&figures), deliveries(&figures)],
        None => [DISK, DELIVERIES]
            .map(|check| Check::skipped(check, "a running gateway counts it"))
            .into(),
    }
}

impl Figures {
    /// 0 for one that is not there: what is not counted has not happened.
    fn of(&self, name: &str) -> f64 {
        let of_name = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
        self.0.lines().find_map(of_name).unwrap_or_default()
    }
}

fn disk(figures: &Figures) -> Check {
    let (free, size) = (figures.of("store_disk_free_bytes"), figures.of("store_disk_size_bytes"));
    let left = format!("{:.0} of {:.0} MiB are free for the store", free / MIB, size / MIB);
    let next = "make room: a larger disk, or a smaller store.retention";
    match figures.of("store_disk_level") {
        level if level < 1.0 => Check::ok(DISK, left),
        level if level < 2.0 => Check::warn(DISK, left, next),
        level if level < 3.0 => Check::warn(DISK, format!("{left}: nothing is resent in bulk"), next),
        _ => Check::fail(DISK, format!("{left}: everything new is refused"), next),
    }
}

fn deliveries(figures: &Figures) -> Check {
    let (away, waiting) = (figures.of("delivery_breakers_open"), figures.of("delivery_waiting"));
    let oldest = figures.of("delivery_oldest_seconds");
    let wait = match waiting {
        none if none < 1.0 => "no event waits".to_owned(),
        _ => format!("{waiting} events wait, the oldest for {oldest:.0} s"),
    };
    let failed = figures.of("delivery_failed_total") + figures.of("delivery_over_quota_total");
    if away >= 1.0 {
        let detail = format!("{away} bots fail, or have not caught up since; {wait}");
        return Check::warn(
            DELIVERIES,
            detail,
            "see the bots' callback below, and the log for which they are",
        );
    }
    if failed >= 1.0 {
        let detail = format!("{failed} events became failed deliveries since the start; {wait}");
        let next = "see GET /v1/deliveries with the bot's key; POST /v1/recover has them posted again";
        return Check::warn(DELIVERIES, detail, next);
    }
    if oldest > LONG {
        let next = "see the timeline of handovers whose bot answers late or not at all, and the log";
        return Check::warn(DELIVERIES, wait, next);
    }
    Check::ok(DELIVERIES, format!("none failed since the start, {wait}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::Verdict;

    fn figures(lines: &str) -> Figures {
        Figures(format!("# HELP store_disk_level How full\n{lines}# EOF\n"))
    }

    #[test]
    fn a_disk_is_judged_by_what_is_refused() {
        for (level, expected) in [
            (0, Verdict::Ok),
            (1, Verdict::Warn),
            (2, Verdict::Warn),
            (3, Verdict::Fail),
        ] {
            let check = disk(&figures(&format!("store_disk_level {level}\n")));
            assert_eq!(check.verdict, expected, "{level}");
        }
    }

    #[test]
    fn what_does_not_reach_bots_is_a_warning_whatever_is_the_cause() {
        assert_eq!(deliveries(&figures("delivery_waiting 3\n")).verdict, Verdict::Ok);
        for trouble in [
            "delivery_breakers_open 1\n",
            "delivery_failed_total 2\n",
            "delivery_over_quota_total 2\n",
            "delivery_waiting 1\ndelivery_oldest_seconds 61.5\n",
        ] {
            assert_eq!(deliveries(&figures(trouble)).verdict, Verdict::Warn, "{trouble}");
        }
    }
}
