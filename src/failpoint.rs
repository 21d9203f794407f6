//! Named places at which a test can have the process killed, held up or refused, and its clock moved. A build without the
//! feature `failpoints` has none of it: the macros expand to nothing.
//!
//! `HANDOVER_FAILPOINTS` arms them, separated by commas: `NAME=kill@3` (SIGKILL at the third hit), `NAME=sleep:500@2` (500 ms
//! from the second hit on), `NAME=refuse@1x5` (an error at five hits from the first on, where the place can have one).

/// `failpoint!("flow.step")`; with `later` what it does is done 20 ms afterwards, when the answer has left; with an error,
/// that is returned where it is armed with `refuse`.
#[cfg(not(feature = "failpoints"))]
macro_rules! failpoint {
    ($name:literal) => {};
    ($name:literal, later) => {};
    ($name:literal, $refused:expr) => {};
}

#[cfg(feature = "failpoints")]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::hit($name)
    };
    ($name:literal, later) => {
        $crate::failpoint::hit_later($name)
    };
    ($name:literal, $refused:expr) => {
        if $crate::failpoint::refuses($name) {
            return Err($refused);
        }
    };
}

/// The machine's time, moved by the milliseconds in the file that `HANDOVER_CLOCK_SHIFT` names.
#[cfg(not(feature = "failpoints"))]
macro_rules! shifted {
    ($millis:expr) => {
        $millis
    };
}

#[cfg(feature = "failpoints")]
macro_rules! shifted {
    ($millis:expr) => {
        $crate::failpoint::shift($millis)
    };
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::hit;
#[cfg(feature = "failpoints")]
pub(crate) use armed::hit_later;
#[cfg(feature = "failpoints")]
pub(crate) use armed::refuses;
#[cfg(feature = "failpoints")]
pub(crate) use armed::shift;

#[cfg(feature = "failpoints")]
mod armed {
    use std::fs;
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::Duration;

    use nix::sys::signal::Signal;
    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    /// Long enough for an answer to leave, too short for anything else.
    const LATER: Duration = Duration::from_millis(20);

    static POINTS: LazyLock<Vec<Point>> = LazyLock::new(|| parse(&variable("HANDOVER_FAILPOINTS").unwrap_or_default()));
    static FIRED: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| variable("HANDOVER_FAILPOINTS_FIRED").map(PathBuf::from));
    static SHIFT: LazyLock<Option<PathBuf>> = LazyLock::new(|| variable("HANDOVER_CLOCK_SHIFT").map(PathBuf::from));

    #[derive(Debug)]
    struct Point {
        name: String,
        deed: Deed,
        /// The first hit at which it does something, and how many do.
        from: u64,
        times: u64,
        hits: AtomicU64,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Deed {
        Kill,
        Sleep(Duration),
        Refuse,
    }

    pub(crate) fn hit(name: &str) {
        act(name, due(name));
    }

    pub(crate) fn hit_later(name: &'static str) {
        if let Some(deed) = due(name) {
            thread::spawn(move || {
                thread::sleep(LATER);
                act(name, Some(deed));
            });
        }
    }

    pub(crate) fn refuses(name: &str) -> bool {
        let deed = due(name);
        act(name, deed);
        deed == Some(Deed::Refuse)
    }

    pub(crate) fn shift(millis: u128) -> u128 {
        let by = SHIFT.as_ref().and_then(|file| fs::read_to_string(file).ok());
        match by.and_then(|text| text.trim().parse::<i128>().ok()) {
            Some(by) if by < 0 => millis.saturating_sub(by.unsigned_abs()),
            Some(by) => millis.saturating_add(by.unsigned_abs()),
            None => millis,
        }
    }

    fn due(name: &str) -> Option<Deed> {
        let point = POINTS.iter().find(|point| point.name == name)?;
        let hit = point.hits.fetch_add(1, Ordering::Relaxed) + 1;
        (hit >= point.from && hit - point.from < point.times).then_some(point.deed)
    }

    fn act(name: &str, deed: Option<Deed>) {
        match deed {
            Some(Deed::Kill) => die(name),
            Some(Deed::Sleep(how_long)) => thread::sleep(how_long),
            Some(Deed::Refuse) | None => {}
        }
    }

    /// Leaves its name and is gone: nothing is closed, flushed or told.
    fn die(name: &str) {
        if let Some(file) = FIRED.as_ref() {
            let opened = fs::OpenOptions::new().create(true).append(true).open(file);
            drop(opened.and_then(|mut file| writeln!(file, "{name}")));
        }
        kill(Pid::this(), Signal::SIGKILL).unwrap_or_default();
        loop {
            thread::park();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a switch of tests, not a setting")]
    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn parse(text: &str) -> Vec<Point> {
        text.split(',').filter_map(|one| point(one.trim())).collect()
    }

    fn point(text: &str) -> Option<Point> {
        let (name, deed) = text.split_once('=')?;
        let (deed, hits) = deed.split_once('@').unwrap_or((deed, "1"));
        let (from, times) = match hits.split_once('x') {
            Some((from, times)) => (from, times.parse().ok()?),
            None => (hits, if deed == "kill" { 1 } else { u64::MAX }),
        };
        let deed = match deed.split_once(':') {
            Some(("sleep", millis)) => Deed::Sleep(Duration::from_millis(millis.parse().ok()?)),
            Some(_) => return None,
            None if deed == "kill" => Deed::Kill,
            None if deed == "refuse" => Deed::Refuse,
            None => return None,
        };
        Some(Point {
            name: name.to_owned(),
            deed,
            from: from.parse().ok()?,
            times,
            hits: AtomicU64::new(0),
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_failpoint_says_what_happens_at_which_hit() {
            let points = parse("a.b=kill@3, c=sleep:500@2,d=refuse@1x5,e=kill,broken,f=dance@1");
            let seen: Vec<_> = points
                .iter()
                .map(|point| (point.name.as_str(), point.deed, point.from, point.times))
                .collect();
            let expected = [
                ("a.b", Deed::Kill, 3, 1),
                ("c", Deed::Sleep(Duration::from_millis(500)), 2, u64::MAX),
                ("d", Deed::Refuse, 1, 5),
                ("e", Deed::Kill, 1, 1),
            ];
            assert_eq!(seen, expected);
        }
    }
}
