//! What a domain, an address and a tenant id must look like, in an exception and in a record.
//!
//! The two sides are not treated alike. An *entry* was written by the operator: slips that are
//! harmless (letter case, a trailing dot, an accent typed as two characters) are normalised, and
//! the rest is refused with a hint. A *record* may have been written by an impostor: what is not
//! well-formed is not trusted, and neither is a spelling that only becomes the trusted name by way
//! of IDNA's mappings (full-width letters, zero-width characters, the Kelvin sign). No mail
//! system and no tenant writes those.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::names::TooLarge;

/// Longest domain, without a trailing dot.
pub(super) const MAX_DOMAIN: usize = 253;
/// Longest part of an address before the `@`. SMTP allows 64 bytes; guest accounts, whose local
/// part holds a whole other address, need more.
pub(super) const MAX_LOCAL: usize = 258;
/// Longest address.
pub(super) const MAX_ADDRESS: usize = MAX_LOCAL + 1 + MAX_DOMAIN;
/// Length of a GUID's text.
pub(super) const GUID: usize = 36;

/// Why an entry of an exception was refused. Displays as a clause that can follow the entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing but white space.
    #[error("nothing is written here")]
    Empty,
    /// White space or a control character in the middle.
    #[error("it holds white space or a control character; write one name per entry")]
    Space,
    /// `*` or `?`.
    #[error(
        "wildcards are not known here; `.msp.example`, with a leading dot, means every domain below msp.example"
    )]
    Wildcard,
    /// An address wildcard, `*@msp.example`.
    #[error("wildcards are not known here; to trust a whole domain, list it under `domain`")]
    AddressWildcard,
    /// A URL, a path or a port.
    #[error("this is a URL or part of one; write only the host's domain, as in `msp.example`")]
    Url,
    /// An address where a domain should be.
    #[error("this holds an `@`; list an address under `email`, or only what follows the `@` here")]
    Address,
    /// Two dots in a row, or a dot at the wrong end.
    #[error("there is nothing between two of its dots")]
    EmptyLabel,
    /// A label or the whole is longer than DNS allows.
    #[error("it is too long: 63 characters between two dots and {MAX_DOMAIN} in all are the most")]
    TooLong,
    /// A character that a host name cannot hold.
    #[error(
        "a domain cannot hold {0:?}; letters, digits, dots, and hyphens inside a word, are allowed"
    )]
    Character(char),
    /// The rules for international domain names do not allow it.
    #[error("this is not a valid international domain name (IDNA)")]
    Idna,
    /// No dot.
    #[error("a domain has at least two parts, as in `msp.example`")]
    SingleLabel,
    /// An IPv4 address.
    #[error("this is an IP address; only domains can be trusted")]
    IpAddress,
    /// A public suffix.
    #[error(
        "`{0}` is a public suffix: anybody can register a name below it; list the partner's own domain"
    )]
    PublicSuffix(String),
    /// Not a public suffix, but a parent of names that anybody can have.
    #[error("anybody can get a name below `{0}`; list the partner's own domain, or its tenant id")]
    Shared(String),
    /// No `@` in an address.
    #[error("an address has one `@`; list a domain under `domain`")]
    NoAt,
    /// More than one `@`.
    #[error("an address has one `@`, and this has more")]
    ManyAts,
    /// Nothing before the `@`, or too much.
    #[error("an address has 1 to {MAX_LOCAL} bytes before the `@`")]
    LocalPart,
    /// Not a GUID.
    #[error("a tenant id is a GUID of 36 characters, as in `3f2504e0-4f89-41d3-9a0c-0305e82c3301`")]
    NotGuid,
    /// The GUID of zeros.
    #[error("the GUID of zeros stands for no tenant at all, and records hold it for that")]
    NilTenant,
    /// Microsoft's tenant of personal accounts.
    #[error("this is the tenant of all personal Microsoft accounts; anybody can have one")]
    PersonalAccounts,
    /// See [`TooLarge`].
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// A domain entry, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Domain<'t> {
    /// This domain.
    Whole(Cow<'t, str>),
    /// Every domain below this one.
    Below(Cow<'t, str>),
}

/// Names that are no public suffixes by the list and yet belong to everybody: below the first four
/// every Microsoft 365 tenant has its initial domain (and a mail routing domain below `mail.`),
/// below the last everybody's bucket is a host.
const SHARED: [(&str, Meaning); 7] = [
    ("onmicrosoft.com", Meaning::WholeAndBelow),
    ("onmicrosoft.us", Meaning::WholeAndBelow),
    ("onmicrosoft.de", Meaning::WholeAndBelow),
    ("partner.onmschina.cn", Meaning::WholeAndBelow),
    ("mail.onmicrosoft.com", Meaning::WholeAndBelow),
    ("mail.onmicrosoft.us", Meaning::WholeAndBelow),
    // The host itself belongs to Google and to nobody else, so compared whole it is a fair entry.
    ("storage.googleapis.com", Meaning::Below),
];

/// In which form a [`SHARED`] name is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    WholeAndBelow,
    Below,
}

/// Reads a domain entry: `msp.example`, or `.msp.example` for every domain below.
pub(super) fn domain_entry(text: &str) -> Result<Domain<'_>, NameError> {
    let text = entry(text)?;
    if text.contains('@') {
        return Err(NameError::Address);
    }
    match text.strip_prefix('.') {
        Some(parent) => {
            let parent = ascii(parent)?;
            refuse_everybodys(&parent, true)?;
            Ok(Domain::Below(parent))
        }
        None => {
            let domain = ascii(text)?;
            refuse_everybodys(&domain, false)?;
            Ok(Domain::Whole(domain))
        }
    }
}

/// Reads an address entry: ASCII letters lower-cased, the domain in ASCII form.
///
/// One address below a public suffix trusts one mailbox, so nothing is asked of the domain but
/// that it is one.
pub(super) fn email_entry(text: &str) -> Result<Cow<'_, str>, NameError> {
    let text = entry(text).map_err(|error| match error {
        NameError::Wildcard => NameError::AddressWildcard,
        error => error,
    })?;
    let (local, domain) = text.rsplit_once('@').ok_or(NameError::NoAt)?;
    if local.contains('@') {
        return Err(NameError::ManyAts);
    }
    if local.is_empty() || local.len() > MAX_LOCAL {
        return Err(NameError::LocalPart);
    }
    match ascii(domain)? {
        Cow::Borrowed(domain) if !local.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            // Without the trailing dot that `ascii` may have taken off.
            Ok(Cow::Borrowed(&text[..local.len() + 1 + domain.len()]))
        }
        domain => Ok(Cow::Owned(format!(
            "{}@{domain}",
            local.to_ascii_lowercase()
        ))),
    }
}

/// Reads a tenant id: a GUID, lower-cased.
pub(super) fn tenant_entry(text: &str) -> Result<String, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let guid = guid(text).ok_or(NameError::NotGuid)?;
    let guid: String = guid.into_iter().map(char::from).collect();
    match guid.as_str() {
        "00000000-0000-0000-0000-000000000000" => Err(NameError::NilTenant),
        "9188040d-6c67-4c5b-b112-36a304b66dad" => Err(NameError::PersonalAccounts),
        _ => Ok(guid),
    }
}

/// What every domain and address entry must be: something, in one word, without wildcards.
fn entry(text: &str) -> Result<&str, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(NameError::Space);
    }
    if text.contains(['*', '?']) {
        return Err(NameError::Wildcard);
    }
    Ok(text)
}

/// The ASCII form of a domain that the operator wrote, without a trailing dot.
fn ascii(text: &str) -> Result<Cow<'_, str>, NameError> {
    if text.contains(['/', '\\', ':']) {
        return Err(NameError::Url);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let domain = if needs_idna(text) {
        if text.is_ascii() {
            check_labels(text)?;
        }
        Cow::Owned(idna(text).ok_or(NameError::Idna)?)
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    check_labels(&domain)?;
    match domain.rsplit_once('.') {
        None => Err(NameError::SingleLabel),
        Some((_, last)) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(NameError::IpAddress)
        }
        Some(_) => Ok(domain),
    }
}

/// Refuses what belongs to everybody: public suffixes, of the list's ICANN and private sections
/// alike, and [`SHARED`] names.
///
/// A private suffix compared whole (`github.io`) would in itself be safe, since its operator alone
/// can have an address there; but who lists it means the names below it, which is why it is
/// refused as well.
fn refuse_everybodys(domain: &str, below: bool) -> Result<(), NameError> {
    if is_suffix(domain) {
        return Err(NameError::PublicSuffix(domain.to_owned()));
    }
    let shared = SHARED
        .iter()
        .any(|(name, meaning)| *name == domain && (below || *meaning == Meaning::WholeAndBelow));
    // A rule of the list such as `*.compute.amazonaws.com` makes every name directly below a
    // suffix, whichever it is; `any` stands for them all.
    if shared || below && is_suffix(&format!("any.{domain}")) {
        return Err(NameError::Shared(domain.to_owned()));
    }
    Ok(())
}

/// Whether a name is one of the public suffix list.
#[cfg(not(target_arch = "wasm32"))]
fn is_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix == name.as_bytes())
}

/// A WebAssembly module has no room for the list. `poseur check` refuses what would be wrong here.
#[cfg(target_arch = "wasm32")]
fn is_suffix(_name: &str) -> bool {
    false
}

/// Whether lower-casing ASCII letters is not enough to normalise a domain.
fn needs_idna(text: &str) -> bool {
    !text.is_ascii()
        || text.split('.').any(|label| {
            label
                .as_bytes()
                .get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
        })
}

/// The ASCII form by IDNA (UTS 46, not transitional), checked against the rules for host names.
fn idna(text: &str) -> Option<String> {
    // Normalisation may shrink a text, but not from this far, and must not be made to work hard.
    if text.len() > 16 * MAX_DOMAIN {
        return None;
    }
    Uts46::new()
        .to_ascii(
            text.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()
        .map(Cow::into_owned)
}

/// Checks a domain in ASCII: letters of either case, digits, inner hyphens, DNS lengths.
fn check_labels(domain: &str) -> Result<(), NameError> {
    if domain.len() > MAX_DOMAIN {
        return Err(NameError::TooLong);
    }
    for label in domain.split('.') {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > 63 {
            return Err(NameError::TooLong);
        }
        if let Some(other) = label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
        {
            return Err(NameError::Character(other));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Character('-'));
        }
    }
    Ok(())
}

/// The domain of an address: what follows its last `@`; `None` without an `@`.
///
/// This only cuts. Whether the address is well-formed is for
/// [`Trusted::trusts_email`](super::Trusted::trusts_email) to say.
pub fn domain_of(address: &str) -> Option<&str> {
    address.rsplit_once('@').map(|(_, domain)| domain)
}

/// The normal form of a domain as a record holds it, in `buffer`; `None` if it is not well-formed.
/// Does not allocate where the text is plain ASCII.
pub(super) fn domain_in_record<'b>(
    text: &str,
    buffer: &'b mut [u8; MAX_DOMAIN],
) -> Option<&'b [u8]> {
    if needs_idna(text) {
        let domain = idna(text).filter(|domain| is_spelling_of(text, domain))?;
        let out = buffer.get_mut(..domain.len())?;
        out.copy_from_slice(domain.as_bytes());
        return Some(out);
    }
    check_labels(text).ok()?;
    let out = buffer.get_mut(..text.len())?;
    out.copy_from_slice(text.as_bytes());
    out.make_ascii_lowercase();
    Some(out)
}

/// Whether a text is the ASCII or the Unicode spelling of a domain, label by label, letter case
/// aside: the domain's A-label or its U-label, and no third thing that is mapped to them.
fn is_spelling_of(text: &str, domain: &str) -> bool {
    let mut labels = text.split('.');
    let same = domain.split('.').all(|wanted| {
        let Some(label) = labels.next() else {
            return false;
        };
        if label.is_ascii() {
            return label.eq_ignore_ascii_case(wanted);
        }
        // The Kelvin sign is a capital whose small letter is an ASCII k.
        let disguised = |c: char| !c.is_ascii() && c.to_lowercase().all(|small| small.is_ascii());
        if label.chars().any(disguised) {
            return false;
        }
        let (unicode, valid) = Uts46::new().to_unicode(
            wanted.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
        );
        valid.is_ok()
            && unicode
                .chars()
                .eq(label.chars().flat_map(char::to_lowercase))
    });
    same && labels.next().is_none()
}

/// An address as a record holds it, cut at its one `@`; `None` if there is not exactly one, or the
/// part before it is not well-formed. The domain is not looked at.
pub(super) fn address_in_record(text: &str) -> Option<(&str, &str)> {
    let (local, domain) = text.rsplit_once('@')?;
    let well_formed = !local.is_empty()
        && local.len() <= MAX_LOCAL
        && !local.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    well_formed.then_some((local, domain))
}

/// The lower-cased bytes of a GUID's text, and nothing around it.
pub(super) fn guid(text: &str) -> Option<[u8; GUID]> {
    let mut guid: [u8; GUID] = text.as_bytes().try_into().ok()?;
    guid.make_ascii_lowercase();
    let fits = guid.iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    fits.then_some(guid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Domain<'_> {
        Domain::Whole(text.into())
    }

    fn below(text: &str) -> Domain<'_> {
        Domain::Below(text.into())
    }

    #[test]
    fn domains() {
        let cases = [
            ("msp.example", whole("msp.example")),
            ("  MSP.Example\t", whole("msp.example")),
            ("msp.example.", whole("msp.example")),
            (".msp.example", below("msp.example")),
            (".MSP.example.", below("msp.example")),
            ("a.b.c.msp.example", whole("a.b.c.msp.example")),
            ("r3---x.example", whole("r3---x.example")),
            ("3com.example", whole("3com.example")),
            ("MÜNCHEN.example", whole("xn--mnchen-3ya.example")),
            ("mu\u{308}nchen.example", whole("xn--mnchen-3ya.example")),
            ("XN--mnchen-3YA.example", whole("xn--mnchen-3ya.example")),
            (".straße.example", below("xn--strae-oqa.example")),
            ("例え.テスト", whole("xn--r8jz45g.xn--zckzah")),
            // Slips of a copied list: IDNA takes the zero-width space away.
            ("msp.example\u{200b}", whole("msp.example")),
            // The host is Google's; only what is below it belongs to everybody.
            ("storage.googleapis.com", whole("storage.googleapis.com")),
            // A tenant's own initial domain is the tenant's.
            ("contoso.onmicrosoft.com", whole("contoso.onmicrosoft.com")),
            (".contoso.github.io", below("contoso.github.io")),
            // An exception of the list to its own wildcard `*.ck`.
            ("www.ck", whole("www.ck")),
        ];
        for (text, wanted) in cases {
            assert_eq!(domain_entry(text), Ok(wanted), "{text:?}");
        }
    }

    #[test]
    fn refused_domains() {
        use NameError::*;
        let suffix = |text: &str| PublicSuffix(text.into());
        let shared = |text: &str| Shared(text.into());
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}example", "a.".repeat(130));
        let cases = [
            ("", Empty),
            (" \t", Empty),
            ("*", Wildcard),
            ("*.msp.example", Wildcard),
            ("msp.ex?mple", Wildcard),
            ("msp example.test", Space),
            ("msp.example\0", Space),
            ("msp.example\nevil.test", Space),
            ("bob@msp.example", Address),
            ("@msp.example", Address),
            ("https://msp.example", Url),
            ("https://msp.example/path", Url),
            ("msp.example/path", Url),
            ("msp.example:443", Url),
            ("..msp.example", EmptyLabel),
            ("msp..example", EmptyLabel),
            ("msp.example..", EmptyLabel),
            (".", EmptyLabel),
            ("..", EmptyLabel),
            (&long, TooLong),
            (&longer, TooLong),
            ("m_sp.example", Character('_')),
            ("msp,evil.example", Character(',')),
            ("-msp.example", Character('-')),
            ("msp.example-", Character('-')),
            ("[10.0.0.1]", Character('[')),
            ("10.0.0.1", IpAddress),
            ("msp", SingleLabel),
            (".msp", SingleLabel),
            ("com", SingleLabel),
            (".com", SingleLabel),
            ("xn--a.example", Idna),
            ("xn--msp-.example", Character('-')),
            ("xn--.example", Character('-')),
            ("m\u{fffd}sp.example", Idna),
            ("co.uk", suffix("co.uk")),
            (".co.uk", suffix("co.uk")),
            ("CO.UK.", suffix("co.uk")),
            ("公司.cn", suffix("xn--55qx5d.cn")),
            ("github.io", suffix("github.io")),
            (".github.io", suffix("github.io")),
            ("googleapis.com", suffix("googleapis.com")),
            ("any-at-all.ck", suffix("any-at-all.ck")),
            (".compute.amazonaws.com", shared("compute.amazonaws.com")),
            (".storage.googleapis.com", shared("storage.googleapis.com")),
            ("onmicrosoft.com", shared("onmicrosoft.com")),
            (".onmicrosoft.com", shared("onmicrosoft.com")),
            (".OnMicrosoft.COM.", shared("onmicrosoft.com")),
            (".mail.onmicrosoft.com", shared("mail.onmicrosoft.com")),
            ("onmicrosoft.us", shared("onmicrosoft.us")),
            (".partner.onmschina.cn", shared("partner.onmschina.cn")),
        ];
        for (text, wanted) in cases {
            assert_eq!(domain_entry(text), Err(wanted), "{text:?}");
        }
    }

    #[test]
    fn addresses() {
        let cases = [
            ("bob@msp.example", Ok("bob@msp.example")),
            (" Bob@MSP.example ", Ok("bob@msp.example")),
            ("bob@msp.example.", Ok("bob@msp.example")),
            ("BOB@msp.example.", Ok("bob@msp.example")),
            ("bob@münchen.example", Ok("bob@xn--mnchen-3ya.example")),
            ("o'neil+x@msp.example", Ok("o'neil+x@msp.example")),
            (
                "bob_a.test#EXT#@msp.example",
                Ok("bob_a.test#ext#@msp.example"),
            ),
            // Only ASCII letters fold before the `@`.
            ("BÖB@msp.example", Ok("bÖb@msp.example")),
            ("", Err(NameError::Empty)),
            ("msp.example", Err(NameError::NoAt)),
            ("@msp.example", Err(NameError::LocalPart)),
            ("*@msp.example", Err(NameError::AddressWildcard)),
            ("a@b@msp.example", Err(NameError::ManyAts)),
            ("bob@", Err(NameError::EmptyLabel)),
            ("bob@localhost", Err(NameError::SingleLabel)),
            ("bob@[10.0.0.1]", Err(NameError::Character('['))),
            ("mailto:bob@msp.example/", Err(NameError::Url)),
            ("Bob <bob@msp.example>", Err(NameError::Space)),
        ];
        for (text, wanted) in cases {
            assert_eq!(email_entry(text), wanted.map(Cow::Borrowed), "{text:?}");
        }
    }

    #[test]
    fn tenants() {
        use NameError::*;
        let id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
        let cases = [
            (id, Ok(id)),
            (" 3F2504E0-4F89-41D3-9A0C-0305E82C3301 ", Ok(id)),
            ("", Err(Empty)),
            ("{3f2504e0-4f89-41d3-9a0c-0305e82c3301}", Err(NotGuid)),
            ("3f2504e04f8941d39a0c0305e82c3301", Err(NotGuid)),
            ("3f2504e0-4f89-41d3-9a0c-0305e82c330", Err(NotGuid)),
            ("3f2504e0-4f89-41d3-9a0c-0305e82c330g", Err(NotGuid)),
            ("3f2504e0_4f89-41d3-9a0c-0305e82c3301", Err(NotGuid)),
            ("contoso.onmicrosoft.com", Err(NotGuid)),
            ("00000000-0000-0000-0000-000000000000", Err(NilTenant)),
            (
                "9188040D-6c67-4c5b-b112-36a304b66dad",
                Err(PersonalAccounts),
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(tenant_entry(text), wanted.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn the_domain_of_an_address_follows_its_last_at() {
        let cases = [
            ("bob@msp.example", Some("msp.example")),
            ("bob@msp.example@evil.test", Some("evil.test")),
            ("bob@", Some("")),
            ("@", Some("")),
            ("@a", Some("a")),
            ("msp.example", None),
            ("bob＠msp.example", None),
            ("", None),
        ];
        for (address, wanted) in cases {
            assert_eq!(domain_of(address), wanted, "{address:?}");
        }
    }
}
