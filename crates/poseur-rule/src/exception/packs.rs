//! Exception packs that come with Poseur. All are off until the operator names one.

use super::{Exception, parse};

/// The packs by name, with their text as the operator may copy it.
pub const PACKS: [(&str, &str); 2] = [
    (
        "known-services",
        include_str!("../../packs/known-services.yml"),
    ),
    ("partners", include_str!("../../packs/partners.yml")),
];

/// The exceptions of a pack; `None` if there is none with this name.
pub fn pack(name: &str) -> Option<Vec<Exception>> {
    let (name, text) = PACKS.iter().find(|(known, _)| *known == name)?;
    let parse::Parsed {
        exceptions, errors, ..
    } = parse::parse(&format!("built-in:{name}"), text, None);
    // The texts are part of the program; a test reads every one of them.
    debug_assert_eq!(errors, []);
    Some(exceptions)
}

/// The five kinds of benign traffic that the documentation of Microsoft's query names.
pub fn known_services() -> Vec<Exception> {
    pack("known-services").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Ground;
    use super::*;

    /// Who an exception trusts: domains, then all entries.
    fn trusted(exception: &Exception) -> (Vec<&str>, usize) {
        match &exception.ground {
            Ground::Trusted(trusted) => (trusted.domains.iter().collect(), trusted.len()),
            Ground::Unless(_) => panic!("a pack trusts somebody"),
        }
    }

    #[test]
    fn every_pack_is_read_without_errors() {
        for (name, text) in PACKS {
            let parse::Parsed {
                exceptions, errors, ..
            } = parse::parse(name, text, None);
            assert_eq!(errors, [], "{name}");
            assert_eq!(pack(name).unwrap().len(), exceptions.len());
        }
        assert_eq!(pack("no-such-pack"), None);
    }

    #[test]
    fn the_five_benign_kinds() {
        let wanted: [(&str, &[&str]); 5] = [
            (
                "known-cloud-backup",
                &["aws.amazon.com", "storage.googleapis.com"],
            ),
            (
                "known-support-portal",
                &["salesforce.com", "support.microsoft.com"],
            ),
            (
                "known-saas-integration",
                &["atlassian.com", "servicenow.com"],
            ),
            ("known-partner-collaboration", &[]),
            ("known-monitoring", &["datadoghq.com", "splunk.com"]),
        ];
        let exceptions = known_services();
        assert_eq!(exceptions.len(), wanted.len());
        for (exception, (id, domains)) in exceptions.iter().zip(wanted) {
            assert_eq!(exception.id, id);
            assert_eq!(trusted(exception), (domains.to_vec(), domains.len()));
            let rule = "389ead4a-6dfe-47e1-9236-165eb08f1017".to_owned();
            assert_eq!(exception.rules.as_deref(), Some(&[rule][..]), "{id}");
            assert_eq!(exception.expires, None);
            assert_eq!(exception.place.file, "built-in:known-services");
            assert!(exception.place.line > 0);
        }
    }

    #[test]
    fn the_partners_pack_trusts_nobody_yet() {
        let partners = pack("partners").unwrap();
        assert_eq!(partners.len(), 1);
        assert_eq!(trusted(&partners[0]), (vec![], 0));
        assert_eq!(partners[0].rules, None);
    }
}
