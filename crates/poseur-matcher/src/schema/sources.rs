//! Which logs records of a shape can come from, and whether a rule is about such logs.

use poseur_rule::model::LogSource;

/// What is known of where records of a shape come from. A list that is empty says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// Sigma's names of the product, any letter case.
    pub products: Vec<String>,
    /// Elastic's names of the data set: `o365.audit`.
    pub datasets: Vec<String>,
    /// Names of the tables that Kusto queries read.
    pub tables: Vec<String>,
}

/// Beginnings of index names that are never about a data set as `logs-…` names it, nor anything that
/// any shipper may have written, as `filebeat-…` is.
const OTHER_INDICES: [&str; 10] = [
    "apm-",
    "auditbeat-",
    "endgame-",
    "heartbeat-",
    "metricbeat-",
    "metrics-",
    "packetbeat-",
    "synthetics-",
    "traces-",
    "winlogbeat-",
];

impl Sources {
    /// Whether a rule for this log source can be about such records: nothing that it says speaks
    /// against it.
    pub fn admit(&self, source: &LogSource) -> bool {
        let named = |known: &[String], name: &Option<String>, same: fn(&str, &str) -> bool| {
            let Some(name) = name else { return true };
            known.is_empty() || known.iter().any(|known| same(known, name))
        };
        // What is taken out of the indices does not say what is in them.
        let mut indices = source
            .indices
            .iter()
            .filter(|index| !index.starts_with('-'));
        let any_index = indices.clone().next().is_none()
            || self.datasets.is_empty()
            || indices.any(|index| self.datasets.iter().any(|dataset| may_hold(index, dataset)));
        any_index
            && named(&self.products, &source.product, str::eq_ignore_ascii_case)
            && named(&self.tables, &source.table, |known, name| known == name)
    }
}

/// Whether an index pattern admits an index that can hold records of a data set.
fn may_hold(pattern: &str, dataset: &str) -> bool {
    // `cluster:index` is another cluster's.
    let pattern = pattern.rsplit(':').next().unwrap_or_default();
    if pattern.starts_with("logs-") {
        return meet(pattern.as_bytes(), format!("logs-{dataset}-*").as_bytes());
    }
    !OTHER_INDICES.iter().any(|other| pattern.starts_with(other))
}

/// Whether some text fits both patterns, in which `*` is any run.
fn meet(a: &[u8], b: &[u8]) -> bool {
    // By the rest of `b`: whether it and the rest of `a` can be the same text. From the end on.
    let mut below = vec![false; b.len() + 1];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            row[j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(b'*'), _) if below[j] => true,
                (_, Some(b'*')) if row[j + 1] => true,
                (Some(b'*'), Some(_)) => row[j + 1],
                (Some(_), Some(b'*')) => below[j],
                (Some(one), Some(other)) => one == other && below[j + 1],
                _ => false,
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::built_in;

    #[test]
    fn a_rule_for_other_logs_is_not_about_these_records() {
        let schemas = built_in();
        let admitted = |source: &LogSource| -> String {
            let admitting = schemas
                .iter()
                .filter(|schema| !schema.detect.is_empty() && schema.sources.admit(source));
            let names: Vec<_> = admitting.map(|schema| schema.name.as_str()).collect();
            names.join(" ")
        };
        let everywhere = "ecs o365 defender hunting";
        for (product, expected) in [
            ("m365", everywhere),
            ("M365", everywhere),
            ("windows", "ecs"),
            ("", "ecs"),
        ] {
            let source = LogSource {
                product: Some(product.to_owned()),
                ..LogSource::default()
            };
            assert_eq!(admitted(&source), expected, "{product}");
        }
        for (table, expected) in [
            ("OfficeActivity", "ecs o365"),
            ("MessageEvents", "ecs defender hunting"),
            ("SigninLogs", "ecs"),
        ] {
            let source = LogSource {
                table: Some(table.to_owned()),
                ..LogSource::default()
            };
            assert_eq!(admitted(&source), expected, "{table}");
        }
        for (indices, expected) in [
            (&[][..], everywhere),
            (&["logs-o365.audit-*"], "ecs o365"),
            (&["logs-o365*"], "ecs o365"),
            (&["logs-o365.audit-default"], "ecs o365"),
            (&["*:logs-o365.audit-*"], "ecs o365"),
            (&["logs-*365*"], everywhere),
            (&["logs-*-prod"], everywhere),
            (&["logs-m365_defender.event-*"], "ecs defender hunting"),
            (&["logs-m365_defender.*", "logs-o365.audit-*"], everywhere),
            (&["logs-aws.cloudtrail-*"], "ecs"),
            (&["logs-aws.cloudtrail-*", "filebeat-*"], everywhere),
            (&["winlogbeat-*", "logs-windows.powershell*"], "ecs"),
            (&["logs-o365.auditing-*"], "ecs"),
            (&["logs-*"], everywhere),
            (&["logs-*", "-logs-o365.audit-*"], everywhere),
            (&["-logs-aws*"], everywhere),
            (&["*"], everywhere),
            (&["mine"], everywhere),
            (&["apm-*-transaction*", "traces-apm*"], "ecs"),
        ] {
            let source = LogSource {
                indices: indices.iter().map(|&index| index.to_owned()).collect(),
                ..LogSource::default()
            };
            assert_eq!(admitted(&source), expected, "{indices:?}");
        }
        // Everything a rule says counts.
        let source = LogSource {
            product: Some("m365".to_owned()),
            table: Some("MessageEvents".to_owned()),
            service: Some("whatever".to_owned()),
            ..LogSource::default()
        };
        assert_eq!(admitted(&source), "ecs defender hunting");
    }

    #[test]
    fn patterns_meet_where_a_text_fits_both() {
        for (a, b, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("a*", "*b", true),
            ("a*c", "ab*", true),
            ("a*c", "b*", false),
            ("*a*", "*b*", true),
            ("ab", "a*b*", true),
            ("abc", "a*b", false),
        ] {
            assert_eq!(meet(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(meet(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
        }
    }
}
