//! What is known of each partition of a member.

use std::collections::BTreeMap;

use rdkafka::{Offset, TopicPartitionList};

use crate::telemetry::group::Partition;

/// Something for each partition, found without copying a topic's name.
#[derive(Debug)]
pub(super) struct Places<T>(Vec<(String, BTreeMap<i32, T>)>);

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places(Vec::new())
    }
}

impl<T> Places<T> {
    fn topic(&mut self, topic: &str) -> Option<&mut BTreeMap<i32, T>> {
        let known = self.0.iter_mut().find(|(name, _)| name == topic);
        known.map(|(_, partitions)| partitions)
    }

    pub(super) fn get(&mut self, topic: &str, partition: i32) -> Option<&mut T> {
        self.topic(topic)?.get_mut(&partition)
    }

    /// What is known of a partition, or what this makes of it.
    pub(super) fn get_or(
        &mut self,
        topic: &str,
        partition: i32,
        new: impl FnOnce() -> T,
    ) -> &mut T {
        let at = self.0.iter().position(|(name, _)| name == topic);
        let at = at.unwrap_or_else(|| {
            self.0.push((topic.to_owned(), BTreeMap::new()));
            self.0.len() - 1
        });
        self.0[at].1.entry(partition).or_insert_with(new)
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) -> Option<T> {
        self.topic(topic)?.remove(&partition)
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = (&str, i32, &mut T)> {
        self.0.iter_mut().flat_map(|(topic, partitions)| {
            let partitions = partitions.iter_mut();
            partitions.map(|(partition, one)| (topic.as_str(), *partition, one))
        })
    }

    /// The offsets of some, as librdkafka wants them.
    pub(super) fn offsets(
        &mut self,
        mut of: impl FnMut(&mut T) -> Option<i64>,
    ) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (topic, partition, one) in self.each() {
            if let Some(offset) = of(one) {
                // Offsets that messages have can be said.
                let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset));
            }
        }
        list
    }
}

/// The partitions of a list.
pub(super) fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements().into_iter();
    elements
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

/// A list of one partition.
pub(super) fn only(topic: &str, partition: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    list
}
