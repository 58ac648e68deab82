//! What schemas derive from a field's values: other texts for some, parts of addresses, IP addresses.

use poseur_matcher::schema::Derive;

use super::program::{Program, regex, text, texts};
use super::reading::TEXT;

impl Program {
    /// Replaces the values of a list by what is derived from them.
    pub fn derive(&mut self, list: &str, derive: &Derive, renamed: &str) {
        let only_at = format!(
            "filter({list}) -> |_, value| {{ is_string(value) && (match(value, {}) ?? false) }}",
            regex("^[^@]*@[^@]*$")
        );
        let part = |of: &str| {
            format!(
                "{list} = map_values({list}) -> |value| {{ replace(value, {}, \"\") ?? \"\" }}",
                regex(of)
            )
        };
        match derive {
            Derive::Same => {}
            Derive::Text => self.line(format!(
                "{list} = map_values({list}) -> |value| {{ {TEXT} }}"
            )),
            Derive::Lower => {
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!("lower = {TEXT}"));
                self.line(LOWER);
                self.close();
            }
            Derive::Address => self.line(format!("{list} = {only_at}")),
            Derive::Local | Derive::Domain => {
                self.line(format!("{list} = {only_at}"));
                self.line(part(if *derive == Derive::Local {
                    "(?s)@.*$"
                } else {
                    "(?s)^.*@"
                }));
            }
            Derive::Ip => self.addresses(list),
            Derive::Values { entries, otherwise } => {
                let last = otherwise.as_deref().map_or(TEXT.to_owned(), text);
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!(
                    "lower = if is_object(value) {{ \"\" }} else {TEXT}"
                ));
                self.line(format!("lower = {LOWER}"));
                let mut start = match otherwise {
                    Some(_) => {
                        self.open("if is_object(value)");
                        self.line(&last);
                        "else if"
                    }
                    None => "if",
                };
                for (result, known) in entries {
                    let known = texts(known.iter().map(String::as_str));
                    let condition = format!("{start} includes({known}, lower)");
                    match start {
                        "if" => self.open(condition),
                        _ => self.reopen(condition),
                    }
                    self.line(text(result));
                    start = "else if";
                }
                match start {
                    "if" => self.line(&last),
                    _ => {
                        self.reopen("else");
                        self.line(&last);
                        self.close();
                    }
                }
                self.close();
            }
            Derive::Rename { entries, .. } => {
                self.open(format!("if {renamed}"));
                self.open(format!("{list} = map_values({list}) -> |value|"));
                self.line(format!("name = {TEXT}"));
                let mut start = "if";
                for (from, to) in entries {
                    let condition = format!("{start} name == {}", text(from));
                    match start {
                        "if" => self.open(condition),
                        _ => self.reopen(condition),
                    }
                    self.line(text(to));
                    start = "else if";
                }
                match start {
                    "if" => self.line("value"),
                    _ => {
                        self.reopen("else");
                        self.line("value");
                        self.close();
                    }
                }
                self.close();
                self.close();
            }
        }
    }

    /// Replaces texts by the IP addresses in them: without port and brackets, IPv4-mapped ones as IPv4.
    fn addresses(&mut self, list: &str) {
        let only = |of: &str| {
            format!(
                "if match(bare, {0}) {{ bare = replace(bare, {0}, \"\\u{{24}}1\") }} else {{ bare = \"\" }}",
                regex(of)
            )
        };
        self.open(format!("{list} = map_values({list}) -> |value|"));
        self.line(format!("bare = {TEXT}"));
        self.open("if starts_with(bare, \"[\")");
        self.line(only(r"^\[([^\]]*)\](?::[0-9]{1,5})?$"));
        self.reopen(format!("else if match(bare, {})", regex("^[^:]*:[^:]*$")));
        self.line(only("^([^:]*):[0-9]{1,5}$"));
        self.close();
        self.line(format!(
            "if is_ipv4(bare) {{ bare }} else if is_ipv6(bare) {{ {} }} else {{ null }}",
            unmapped("bare")
        ));
        self.close();
        self.line(format!(
            "{list} = filter({list}) -> |_, value| {{ !is_null(value) }}"
        ));
    }
}

/// The text in `lower` in lower case, each character by itself.
pub(super) const LOWER: &str = r#"downcase(replace(lower, "Σ", "σ"))"#;

/// An IPv6 address as the IPv4 address that is mapped to it, if one is.
pub(super) fn unmapped(address: &str) -> String {
    format!(
        "if ip_cidr_contains(\"::ffff:0:0/96\", {address}) ?? false {{ ipv6_to_ipv4({address}) ?? {address} }} else {{ {address} }}"
    )
}
