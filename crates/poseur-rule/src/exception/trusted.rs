//! Who is trusted, and the question whether a text of a record names one of them.

use super::domain::{
    Domain, MAX_ADDRESS, MAX_DOMAIN, NameError, address_in_record, domain_entry, domain_in_record,
    email_entry, guid, tenant_entry,
};
use super::names::{Names, NamesBuilder};

/// Who is trusted. A party is trusted if any of the four sets names it.
///
/// ```
/// use poseur_rule::exception::Trusted;
///
/// let mut trusted = Trusted::builder();
/// trusted.domain("msp.example")?;
/// trusted.domain(".partner.example")?;
/// let trusted = trusted.build();
/// assert!(trusted.trusts_email("Support@MSP.example"));
/// assert!(trusted.trusts_domain("eu.partner.example"));
/// assert!(!trusted.trusts_domain("evil-msp.example"));
/// # Ok::<(), poseur_rule::exception::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trusted {
    /// Tenant ids, lower-cased.
    pub tenants: Names,
    /// Whole domains, lower-cased and in ASCII (IDNA) form: compared with the part after the last `@`.
    pub domains: Names,
    /// Parent domains, without the leading dot, in the same form: any domain *below* them is
    /// trusted, the parent itself is not.
    pub parents: Names,
    /// Addresses: ASCII letters lower-cased, the domain in ASCII form.
    pub emails: Names,
}

impl Trusted {
    /// Collects entries as an operator writes them.
    pub fn builder() -> TrustedBuilder {
        TrustedBuilder::default()
    }

    /// Nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.tenants.len() + self.domains.len() + self.parents.len() + self.emails.len()
    }

    /// Whether a record's text is the id of a trusted tenant.
    pub fn trusts_tenant(&self, text: &str) -> bool {
        !self.tenants.is_empty() && guid(text).is_some_and(|guid| self.tenants.contains(guid))
    }

    /// Whether a record's text is a trusted domain, or a domain below a trusted parent.
    ///
    /// A text that is not a well-formed domain is not trusted, and neither is one with a trailing
    /// dot or white space around it.
    pub fn trusts_domain(&self, text: &str) -> bool {
        if self.domains.is_empty() && self.parents.is_empty() {
            return false;
        }
        let mut buffer = [0; MAX_DOMAIN];
        domain_in_record(text, &mut buffer).is_some_and(|domain| self.has_domain(domain))
    }

    /// Whether a record's text is an address that is trusted itself or by its domain.
    ///
    /// A text that is not a well-formed address, with exactly one `@`, is not trusted.
    pub fn trusts_email(&self, text: &str) -> bool {
        if self.emails.is_empty() && self.domains.is_empty() && self.parents.is_empty() {
            return false;
        }
        let Some((local, domain)) = address_in_record(text) else {
            return false;
        };
        let mut buffer = [0; MAX_DOMAIN];
        let Some(domain) = domain_in_record(domain, &mut buffer) else {
            return false;
        };
        self.has_domain(domain) || self.has_email(local, domain)
    }

    /// `domain` is in normal form.
    fn has_domain(&self, domain: &[u8]) -> bool {
        self.domains.contains(domain)
            || !self.parents.is_empty()
                && domain
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| **byte == b'.')
                    .any(|(dot, _)| self.parents.contains(&domain[dot + 1..]))
    }

    /// `domain` is in normal form, `local` as the record has it.
    fn has_email(&self, local: &str, domain: &[u8]) -> bool {
        if self.emails.is_empty() {
            return false;
        }
        let mut buffer = [0; MAX_ADDRESS];
        let at = local.len();
        let Some(address) = buffer.get_mut(..at + 1 + domain.len()) else {
            return false;
        };
        address[..at].copy_from_slice(local.as_bytes());
        address[..at].make_ascii_lowercase();
        address[at] = b'@';
        address[at + 1..].copy_from_slice(domain);
        self.emails.contains(&*address)
    }
}

/// Collects the entries of a [`Trusted`], normalising or refusing each.
#[derive(Debug, Clone, Default)]
pub struct TrustedBuilder {
    tenants: NamesBuilder,
    domains: NamesBuilder,
    parents: NamesBuilder,
    emails: NamesBuilder,
}

impl TrustedBuilder {
    /// Adds a tenant id: a GUID in any letter case.
    pub fn tenant(&mut self, text: &str) -> Result<(), NameError> {
        Ok(self.tenants.push(&tenant_entry(text)?)?)
    }

    /// Adds a domain, `msp.example`; or every domain below it, `.msp.example`.
    pub fn domain(&mut self, text: &str) -> Result<(), NameError> {
        let pushed = match domain_entry(text)? {
            Domain::Whole(domain) => self.domains.push(&domain),
            Domain::Below(parent) => self.parents.push(&parent),
        };
        Ok(pushed?)
    }

    /// Adds an address.
    pub fn email(&mut self, text: &str) -> Result<(), NameError> {
        Ok(self.emails.push(&email_entry(text)?)?)
    }

    /// No entry was added.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
            && self.domains.is_empty()
            && self.parents.is_empty()
            && self.emails.is_empty()
    }

    /// Who is trusted.
    pub fn build(self) -> Trusted {
        Trusted {
            tenants: self.tenants.finish(),
            domains: self.domains.finish(),
            parents: self.parents.finish(),
            emails: self.emails.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn trusted(tenants: &[&str], domains: &[&str], emails: &[&str]) -> Trusted {
        let mut builder = Trusted::builder();
        for tenant in tenants {
            builder.tenant(tenant).unwrap();
        }
        for domain in domains {
            builder.domain(domain).unwrap();
        }
        for email in emails {
            builder.email(email).unwrap();
        }
        builder.build()
    }

    #[test]
    fn what_is_trusted() {
        let trusted = trusted(
            &["3f2504e0-4f89-41d3-9a0c-0305e82c3301"],
            &["msp.example", ".partner.example", "münchen.example"],
            &["bob@other.example", "Ann@bücher.example"],
        );
        for domain in [
            "msp.example",
            "MSP.eXample",
            "a.partner.example",
            "a.b.PARTNER.example",
            "münchen.example",
            "MÜNCHEN.Example",
            "xn--mnchen-3ya.example",
            "XN--MNCHEN-3YA.example",
            "bücher.partner.example",
        ] {
            assert!(trusted.trusts_domain(domain), "{domain}");
            assert!(trusted.trusts_email(&format!("x@{domain}")), "{domain}");
        }
        for email in [
            "bob@other.example",
            "BOB@OTHER.example",
            "ann@bücher.example",
            "ann@XN--bcher-kva.example",
            // A guest account of a trusted domain. The part after the last `@` decides.
            "eve_evil.test#EXT#@msp.example",
            "Ünal@msp.example",
        ] {
            assert!(trusted.trusts_email(email), "{email}");
        }
        assert!(trusted.trusts_tenant("3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
        assert!(trusted.trusts_tenant("3F2504E0-4F89-41D3-9A0C-0305E82C3301"));
        assert_eq!(trusted.len(), 6);
        assert!(!trusted.is_empty());
    }

    #[test]
    fn attacks() {
        let trusted = trusted(
            &["3f2504e0-4f89-41d3-9a0c-0305e82c3301"],
            &[
                "msp.example",
                ".partner.example",
                "münchen.example",
                "kelvin.example",
            ],
            &["bob@other.example", "kim@other.example"],
        );
        let domains = [
            "",
            ".",
            "@",
            // Near the entry, as text.
            "evil-msp.example",
            "evilmsp.example",
            "msp.example.evil.test",
            "msp.exampleevil.test",
            "msp.example-evil.test",
            "a.msp.example",
            "sp.example",
            "msp.exampl",
            "msp.examplee",
            "example",
            "msp",
            "mspxexample",
            "msp-example",
            // A parent is not below itself, and a label boundary is a dot.
            "partner.example",
            ".partner.example",
            "evilpartner.example",
            "evil-partner.example",
            "partner.example.evil.test",
            "a.partner.example.evil.test",
            "a.partnerxexample",
            "a..partner.example",
            "-.partner.example",
            "*.partner.example",
            // Dots, white space, control characters.
            "msp.example.",
            "msp.example..",
            ".msp.example",
            "msp..example",
            "a.partner.example.",
            " msp.example",
            "msp.example ",
            "msp.example\n",
            "msp.example\r\n",
            "msp.example\t",
            "msp.example\0",
            "\0msp.example",
            "msp.example\0.evil.test",
            "evil.test\0.partner.example",
            "evil.test\n.partner.example",
            "msp.example\u{85}",
            "msp.example\u{a0}",
            // Parts of something else.
            "http://msp.example",
            "msp.example/",
            "msp.example:443",
            "evil.test/msp.example",
            "evil.test/.partner.example",
            "evil.test?.partner.example",
            "evil.test#.partner.example",
            "evil.test\\.partner.example",
            "evil.test%.partner.example",
            "evil.test%2f.partner.example",
            "x@msp.example",
            "x@evil.test@a.partner.example",
            "<msp.example>",
            "\"msp.example\"",
            "msp.example,evil.test",
            "msp.example;evil.test",
            "msp.example|evil.test",
            "evil_test.partner.example",
            // Look-alikes: other letters.
            "mѕp.example",
            "msр.example",
            "msp.ехample",
            "msp.examp1e",
            "rnsp.example",
            "munchen.example",
            "mûnchen.example",
            // The same by IDNA's mappings, and by no mail system's writing.
            "ｍｓｐ.example",
            "ＭＳＰ.ＥＸＡＭＰＬＥ",
            "msp．example",
            "msp。example",
            "msp｡example",
            "m\u{ad}sp.example",
            "msp\u{200b}.example",
            "msp.example\u{200b}",
            "\u{feff}msp.example",
            "\u{2060}msp.example",
            "m\u{200d}sp.example",
            "m\u{200c}sp.example",
            "\u{202e}elpmaxe.psm",
            "ⓜⓢⓟ.example",
            "𝐦𝐬𝐩.example",
            "ᵐsp.example",
            "mſp.example",
            "\u{212a}elvin.example",
            "evil。test.partner.example",
            "evil／.partner.example",
            "mu\u{308}nchen.example",
            "ｍünchen.example",
            // A-labels that are none.
            "xn--msp-.example",
            "xn--msp.example",
            "xn--.example",
            "xn--m-.partner.example",
            "xn--mp-eoc.example",
            "xn--mnchen-3ya.example.evil.test",
            "xn--mnchen-3yaa.example",
            "xn--a.partner.example",
            // Undecodable text.
            "\u{fffd}.partner.example",
            "m\u{fffd}sp.example",
        ];
        for domain in domains {
            assert!(!trusted.trusts_domain(domain), "{domain:?}");
            let email = format!("x@{domain}");
            // `x@` before what holds an `@` is another attack, and no other answer.
            assert!(!trusted.trusts_email(&email), "{email:?}");
        }
        let long = [
            format!("{}.partner.example", "a".repeat(64)),
            format!("{}partner.example", "a.".repeat(130)),
            format!("{}.partner.example", "ü".repeat(10_000)),
            format!("{}.partner.example", "xn--".repeat(100_000)),
        ];
        for domain in &long {
            assert!(!trusted.trusts_domain(domain));
            assert!(!trusted.trusts_email(&format!("x@{domain}")));
        }
        let emails = [
            "",
            "@",
            "msp.example",
            "@msp.example",
            "user@msp.example@evil.test",
            "user@evil.test@msp.example",
            "user@@msp.example",
            "\"user@evil.test\"@msp.example",
            "user@msp.example>,<x@evil.test",
            "<user@msp.example>",
            "User <user@msp.example>",
            "mailto:user@msp.example?",
            "user@msp.example ",
            " user@msp.example",
            "user @msp.example",
            "user\0@msp.example",
            "user@evil.test\0@msp.example",
            "user@msp.example\0@evil.test",
            "user\n@msp.example",
            "user@msp.example\r\n",
            "user@msp.example.",
            "user＠msp.example",
            "user@evil.test＠msp.example",
            "user@evil.test%msp.example",
            "user@[msp.example]",
            "user@msp.example(comment)",
            // Around a trusted address.
            "other.example",
            "x@other.example",
            "bob@other.example.evil.test",
            "bob@evil.other.example",
            "xbob@other.example",
            "bob+x@other.example",
            "bоb@other.example",
            "ｂｏｂ@other.example",
            "bob\u{200b}@other.example",
            "\u{212a}im@other.example",
            "bob@оther.example",
            "bob@other.example.",
            "bob@evil.test@other.example",
        ];
        for email in emails {
            assert!(!trusted.trusts_email(email), "{email:?}");
        }
        assert!(!trusted.trusts_email(&format!("{}@msp.example", "x".repeat(100_000))));
        let tenants = [
            "",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3302",
            "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301 ",
            " 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "3f2504e0-4f89-41d3-9a0c-0305e82c330",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301\0",
            "3f2504e04f8941d39a0c0305e82c3301",
            "３f2504e0-4f89-41d3-9a0c-0305e82c3301",
        ];
        for tenant in tenants {
            assert!(!trusted.trusts_tenant(tenant), "{tenant:?}");
        }
    }

    #[test]
    fn nobody_is_trusted_by_an_empty_set() {
        let nobody = Trusted::default();
        assert!(nobody.is_empty());
        for text in ["", ".", "@", "a.example", "x@a.example"] {
            assert!(!nobody.trusts_domain(text) && !nobody.trusts_email(text));
            assert!(!nobody.trusts_tenant(text));
        }
    }

    #[test]
    fn one_kind_of_entry_says_nothing_of_the_others() {
        let by_email = trusted(&[], &[], &["bob@msp.example"]);
        assert!(!by_email.trusts_domain("msp.example"));
        assert!(!by_email.trusts_email("ann@msp.example"));
        let by_domain = trusted(&[], &["msp.example"], &[]);
        assert!(!by_domain.trusts_tenant("3f2504e0-4f89-41d3-9a0c-0305e82c3301"));
    }

    /// The plain, obviously right form: hash sets of normal forms, and suffixes as text.
    struct Twin {
        domains: HashSet<String>,
        parents: HashSet<String>,
    }

    impl Twin {
        fn new(entries: &[String]) -> Twin {
            let mut twin = Twin {
                domains: HashSet::new(),
                parents: HashSet::new(),
            };
            for entry in entries {
                match entry.strip_prefix('.') {
                    Some(parent) => twin.parents.insert(Twin::normal(parent).unwrap()),
                    None => twin.domains.insert(Twin::normal(entry).unwrap()),
                };
            }
            twin
        }

        fn normal(domain: &str) -> Option<String> {
            idna::domain_to_ascii_strict(domain).ok()
        }

        fn trusts(&self, domain: &str) -> bool {
            let Some(domain) = Twin::normal(domain) else {
                return false;
            };
            self.domains.contains(&domain)
                || self
                    .parents
                    .iter()
                    .any(|parent| domain.ends_with(&format!(".{parent}")))
        }
    }

    fn entries() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(r"\.?([abAü]{1,2}\.){1,2}(test|example)", 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        // Texts of an alphabet in which the two must agree: it has none of the characters that
        // IDNA maps away, which records are not forgiven.
        #[test]
        fn agrees_with_the_twin(
            entries in entries(),
            probes in prop::collection::vec(r"\.?([abABüÜ@ -]{0,2}\.?){0,3}\.(test|example|tesT)", 0..20),
        ) {
            let trusted = trusted(&[], &entries.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            let twin = Twin::new(&entries);
            for probe in probes.iter().chain(&entries) {
                prop_assert_eq!(trusted.trusts_domain(probe), twin.trusts(probe), "{}", probe);
                prop_assert_eq!(
                    trusted.trusts_email(&format!("x@{probe}")),
                    twin.trusts(probe) && !probe.contains('@'),
                    "{}", probe
                );
            }
        }

        // Any text at all around an entry: what is trusted is the entry or below it.
        #[test]
        fn trusts_nothing_else(
            entries in entries(),
            before in r"[.a@]{0,2}|\PC{0,3}|.{0,2}",
            after in r"[.a@]{0,2}|\PC{0,3}|.{0,2}",
        ) {
            let trusted = trusted(&[], &entries.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
            let twin = Twin::new(&entries);
            for entry in &entries {
                let probe = format!("{before}{entry}{after}");
                if trusted.trusts_domain(&probe) {
                    prop_assert!(twin.trusts(&probe), "{:?}", probe);
                }
                if trusted.trusts_email(&probe) {
                    let (_, domain) = probe.rsplit_once('@').unwrap();
                    prop_assert!(twin.trusts(domain), "{:?}", probe);
                }
            }
        }
    }
}
