//! The figures of a member of a Kafka consumer group.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::lock;
use super::meter::Figure;

/// A topic and the number of a partition.
pub type Partition = (String, i32);

/// What a member has done since the process began, and where it is.
#[derive(Debug, Default)]
pub struct Group {
    /// So often partitions were given to it or taken from it.
    pub rebalances: Figure,
    /// Transactions that were committed.
    pub committed: Figure,
    /// Transactions that were aborted: their records were read again.
    pub aborted: Figure,
    /// Messages that a broker has not taken.
    pub produce_errors: Figure,
    partitions: Mutex<BTreeMap<Partition, Progress>>,
    trouble: Mutex<Option<String>>,
}

/// How far a member is in a partition that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The offset after the last record that was delivered.
    pub next: Option<i64>,
    /// The offset after the last record there is.
    pub end: Option<i64>,
    /// Why nothing more is read from it.
    pub stopped: Option<String>,
}

impl Progress {
    /// How many records are not delivered, if that is known.
    pub fn lag(&self) -> Option<u64> {
        let lag = self.end?.saturating_sub(self.next?);
        Some(u64::try_from(lag).unwrap_or(0))
    }
}

impl Group {
    /// It has got partitions.
    pub fn assigned(&self, partitions: impl IntoIterator<Item = Partition>) {
        self.rebalances.add(1);
        let mut known = lock(&self.partitions);
        for partition in partitions {
            known.insert(partition, Progress::default());
        }
    }

    /// It has lost partitions, or given them up.
    pub fn revoked(&self, partitions: impl IntoIterator<Item = Partition>) {
        self.rebalances.add(1);
        let mut known = lock(&self.partitions);
        for partition in partitions {
            known.remove(&partition);
        }
    }

    /// Everything before this offset is delivered.
    pub fn reached(&self, topic: &str, partition: i32, next: i64) {
        self.change(topic, partition, |progress| progress.next = Some(next));
    }

    /// What the brokers say: the offset after the last record, and the one that the group has committed.
    pub fn seen(&self, topic: &str, partition: i32, end: i64, committed: Option<i64>) {
        self.change(topic, partition, |progress| {
            progress.end = Some(end);
            progress.next = progress.next.or(committed);
        });
    }

    /// Nothing more is read from a partition, for this reason; or it goes on.
    pub fn stopped(&self, topic: &str, partition: i32, reason: Option<&str>) {
        self.change(topic, partition, |progress| {
            progress.stopped = reason.map(str::to_owned);
        });
    }

    fn change(&self, topic: &str, partition: i32, change: impl FnOnce(&mut Progress)) {
        let mut known = lock(&self.partitions);
        let progress = known.get_mut(&(topic.to_owned(), partition));
        let _ = progress.map(change);
    }

    /// The partitions that it has.
    pub fn partitions(&self) -> BTreeMap<Partition, Progress> {
        lock(&self.partitions).clone()
    }

    /// What keeps all of it from working, if anything.
    pub fn set_trouble(&self, reason: Option<&str>) {
        let mut trouble = lock(&self.trouble);
        if trouble.as_deref() != reason {
            *trouble = reason.map(str::to_owned);
        }
    }

    /// Why it does not work as it should; empty if it does.
    pub fn not_ready(&self) -> Vec<String> {
        let trouble = lock(&self.trouble).clone();
        let stopped = self.partitions().into_iter();
        let stopped = stopped.filter_map(|((topic, partition), progress)| {
            let reason = progress.stopped?;
            Some(format!("{topic} [{partition}] is stopped: {reason}"))
        });
        trouble.into_iter().chain(stopped).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_is_not_delivered() {
        let group = Group::default();
        let lags = |group: &Group| -> Vec<Option<u64>> {
            group.partitions().values().map(Progress::lag).collect()
        };
        group.assigned([("a".to_owned(), 0), ("a".to_owned(), 1)]);
        assert_eq!(lags(&group), [None, None]);
        group.seen("a", 0, 10, Some(4));
        group.seen("b", 0, 10, Some(4));
        assert_eq!(lags(&group), [Some(6), None]);
        group.reached("a", 0, 10);
        group.seen("a", 0, 12, Some(4));
        group.stopped("a", 1, Some("why"));
        assert_eq!(lags(&group), [Some(2), None]);
        assert_eq!(group.not_ready(), ["a [1] is stopped: why"]);
        group.stopped("a", 1, None);
        group.set_trouble(Some("no broker"));
        assert_eq!(group.not_ready(), ["no broker"]);
        group.revoked([("a".to_owned(), 0)]);
        assert_eq!((lags(&group), group.rebalances.get()), (vec![None], 2));
    }
}
