//! Exceptions by tenant, domain and address, once for the whole program: is every party of a match trusted?

use poseur_rule::exception::{Exception, Ground, Names, Trusted};

use super::Export;
use super::derivations::LOWER;
use super::error::{ExportError, Reason, Subject};
use super::json_texts::JSON_START;
use super::program::{Program, join, regex, text, texts};
use super::tests::Now;

/// More names make a program that is slow to load and to run.
const MOST_NAMES: usize = 10_000;

/// A domain in ASCII and lower case, label by label.
const DOMAIN: &str =
    "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$";

/// What is kept of an element `one`.
const ELEMENT: &str = r#"who = {"addresses": [], "tenants": [], "values": [encode_json(one)]}
map_values([one], recursive: true) -> |value| {
  if !is_null(value) && !is_object(value) && !is_array(value) {
    text = if is_float(value) { encode_json(value) } else { to_string(value) ?? "" }
    who.values = push(who.values, text)
  }
  value
}
for_each(object(one) ?? {}) -> |key, item| {
  for_each(["addresses", "tenants"]) -> |_, kind| {
    of = to_string(get(list, [kind]) ?? "") ?? ""
    if kept && of != "" && (key == of || starts_with(key, of + ".")) {
      map_values([item], recursive: true) -> |value| {
        if !is_null(value) && !is_object(value) && !is_array(value) {
          text = if is_float(value) { encode_json(value) } else { to_string(value) ?? "" }
          text = replace_with(text, r'[A-Z]+') -> |token| { downcase(token.string) }
          if kind == "addresses" { who.addresses = push(who.addresses, text) } else { who.tenants = push(who.tenants, text) }
        }
        value
      }
    }
  }
}
if kept && is_empty(who.tenants) { who.tenants = everybody }
crowd = push(crowd, who)"#;

/// The same of what stands under a dotted key.
const BEYOND: &str = r#"who = {"addresses": [], "tenants": everybody, "values": [encode_json(one)]}
map_values([one], recursive: true) -> |value| {
  if !is_null(value) && !is_object(value) && !is_array(value) {
    text = if is_float(value) { encode_json(value) } else { to_string(value) ?? "" }
    who.values = push(who.values, text)
  }
  value
}
crowd = push(crowd, who)"#;

/// The parties of the match `hit`.
const PARTIES: &str = r#"# Who satisfied the rule: elements of lists that satisfy one of its tests by themselves ...
parties = []
for_each(array(get(hit, ["asked"]) ?? []) ?? []) -> |_, asked| {
  of = get(asked, ["of"]) ?? null
  for_each(array(get(asked, ["wanted"]) ?? []) ?? []) -> |_, wanted| {
    satisfying = filter(array(get(people, [of]) ?? []) ?? []) -> |_, who| {
      values = array(get(who, ["values"]) ?? []) ?? []
      !is_empty(filter(values) -> |_, value| { match(value, wanted) ?? false })
    }
    parties = append(parties, satisfying)
    # It takes several elements together: nobody knows whom.
    if is_empty(satisfying) && asked.anywhere != true { parties = push(parties, {"addresses": [], "tenants": []}) }
  }
}
# ... and those that fields tell: whoever acted, if the match rests on nobody's identity.
actors = array(get(hit, ["actors"]) ?? []) ?? []
if is_empty(parties) && is_empty(actors) { actors = [actor] }
for_each(actors) -> |_, name| {
  who = get(named, [name]) ?? {}
  own = array(get(who, ["tenants"]) ?? []) ?? []
  tenants = if is_empty(own) { everybody } else { own }
  addresses = array(get(who, ["addresses"]) ?? []) ?? []
  if is_empty(addresses) { parties = push(parties, {"addresses": [], "tenants": tenants}) }
  for_each(addresses) -> |_, address| {
    address = replace_with(to_string(address) ?? "", r'[A-Z]+') -> |token| { downcase(token.string) }
    theirs = tenants
    if is_empty(own) {
      # The tenants of the members with this address.
      of = get(who, ["members"]) ?? null
      same = filter(array(get(people, [of]) ?? []) ?? []) -> |_, member| {
        includes(array(get(member, ["addresses"]) ?? []) ?? [], address)
      }
      if !is_empty(same) {
        theirs = []
        nameless = false
        for_each(same) -> |_, member| {
          of_member = array(get(member, ["tenants"]) ?? []) ?? []
          if is_empty(of_member) { nameless = true }
          theirs = append(theirs, of_member)
        }
        if nameless { theirs = [] }
      }
    }
    parties = push(parties, {"addresses": [address], "tenants": theirs})
  }
}"#;

impl Export<'_> {
    /// The exceptions that trust somebody and may be in force, in their order.
    pub(super) fn trusting(&self) -> impl Iterator<Item = (&Exception, &Trusted)> {
        self.exceptions
            .iter()
            .filter_map(|exception| match &exception.ground {
                Ground::Trusted(trusted) if !trusted.is_empty() => Some((exception, trusted)),
                _ => None,
            })
            .filter(|(exception, _)| self.in_force(exception).is_some())
    }

    /// When an exception is in force: always, if there is no expression; `None`: never.
    pub(super) fn in_force(&self, exception: &Exception) -> Option<Option<String>> {
        let Some(expires) = exception.expires else {
            return Some(None);
        };
        match self.now {
            Now::Fixed(now) if now < expires => Some(None),
            Now::Fixed(_) => None,
            Now::Running => {
                // Whole seconds: the next full one, if there is a fraction.
                let seconds = expires.as_nanosecond().div_euclid(1_000_000_000);
                Some(Some(
                    match expires.as_nanosecond().rem_euclid(1_000_000_000) {
                        0 => format!("now_s < {seconds}"),
                        rest => {
                            format!(
                                "(now_s < {seconds} || (now_s == {seconds} && now_ns < {rest}))"
                            )
                        }
                    },
                ))
            }
        }
    }

    /// Decides about the match in `hit`: `by` gets the exceptions that suppress it.
    pub(super) fn trust(&self, program: &mut Program, errors: &mut Vec<ExportError>) {
        let mut names = 0;
        for (exception, trusted) in self.trusting() {
            names += trusted.len();
            if names > MOST_NAMES {
                let reason = Reason::Names(trusted.len(), MOST_NAMES);
                errors.push(ExportError {
                    place: Some(exception.place.clone()),
                    subject: Subject::Exception(exception.id.clone()),
                    field: None,
                    advice: reason.advice(),
                    reason,
                });
            }
        }
        let ids: Vec<&str> = self
            .trusting()
            .map(|(exception, _)| exception.id.as_str())
            .collect();
        if ids.is_empty() || names > MOST_NAMES {
            return;
        }
        program.line(PARTIES);
        program.open("if is_empty(by)");
        program.comment("A party is trusted if it has addresses and each is trusted, or else if it has tenants and each is.");
        program.line("trusted = true");
        program.line("used = []");
        program.open("for_each(parties) -> |_, party|");
        program.line("known = false");
        program.open("for_each([\"addresses\", \"tenants\"]) -> |_, kind|");
        program.line("names = array(get(party, [kind]) ?? []) ?? []");
        program.open("if !known && !is_empty(names)");
        program.line("known = true");
        program.line("trusting = []");
        program.open("for_each(names) -> |_, name|");
        program.line("name = to_string(name) ?? \"\"");
        self.spell(program);
        program.line("one = \"\"");
        for (exception, trusted) in self.trusting() {
            self.trusts(program, exception, trusted);
        }
        program.line("if one == \"\" { known = false }");
        program.line("trusting = push(trusting, one)");
        program.close();
        program.line("if known { used = append(used, trusting) }");
        program.close();
        program.close();
        program.line("if !known { trusted = false }");
        program.close();
        program.line(format!(
            "if trusted {{ by = filter({}) -> |_, value| {{ includes(used, value) }} }}",
            texts(ids)
        ));
        program.close();
    }

    /// Reads the lists whose elements are parties, of all matches of one payload.
    pub(super) fn read_people(&self, program: &mut Program) {
        program.open("if !is_empty(hits)");
        program.comment(
            "People: each element of a list, with its addresses and tenants (ASCII letters in lower case) and all values in it.",
        );
        program.open("for_each(lists) -> |name, list|");
        program.line("crowd = []");
        program.open("for_each(array(get(list, [\"found\"]) ?? []) ?? []) -> |_, found|");
        program.line("kept = true");
        program.open(format!(
            "if is_string(found) && (match(found, {}) ?? false)",
            regex(JSON_START)
        ));
        program.line("inside = to_string(found) ?? \"\"");
        program.repair("inside");
        program.line("parsed = parse_json(inside) ?? null");
        program.open("if is_object(parsed) || is_array(parsed)");
        program.compact("inside");
        program.line("found = parsed");
        program.comment("Of two equal keys only one is here: nobody is trusted then.");
        program.line("kept = length(inside) == length(encode_json(parsed))");
        program.close();
        program.close();
        program.line("elements = if is_array(found) { array(found) ?? [] } else { [found] }");
        program.open("for_each(elements) -> |_, one|");
        program.line(ELEMENT);
        program.close();
        program.close();
        program.comment(
            "Under a dotted key that goes on below the list, nobody in particular stands.",
        );
        program.open("for_each(array(get(list, [\"beyond\"]) ?? []) ?? []) -> |_, one|");
        program.line(BEYOND);
        program.close();
        program.line("people = set(people, [name], crowd) ?? people");
        program.close();
        program.close();
    }

    /// Brings `name` to the form of the lists: `tenant`, or `domain` and `address`; empty if it is none.
    fn spell(&self, program: &mut Program) {
        let all = || self.trusting().map(|(_, trusted)| trusted);
        let any = |of: fn(&Trusted) -> &Names| all().any(|trusted| !of(trusted).is_empty());
        if any(|trusted| &trusted.tenants) {
            program.line("tenant = if kind == \"tenants\" { name } else { \"\" }");
        }
        let domains = any(|trusted| &trusted.domains);
        let parents = any(|trusted| &trusted.parents);
        let emails = any(|trusted| &trusted.emails);
        if !domains && !parents && !emails {
            return;
        }
        program.line("domain = \"\"");
        program.line("address = \"\"");
        program.open(format!(
            "if kind == \"addresses\" && match(name, {})",
            regex(r"^[^@\s\p{Cc}]+@[^@\s]+$")
        ));
        program.line(format!(
            "domain = replace(name, {}, \"\")",
            regex("^[^@]*@")
        ));
        program.line(format!("local = replace(name, {}, \"\")", regex("@[^@]*$")));
        let international = |names: &Names| names.iter().any(|name| name.contains("xn--"));
        let listed =
            all().any(|trusted| international(&trusted.domains) || international(&trusted.emails));
        if parents || listed {
            self.international(program);
        }
        program.line(format!(
            "if length(local) > 258 || length(domain) > 253 || !match(domain, {}) {{ domain = \"\" }}",
            regex(DOMAIN)
        ));
        if emails {
            program.line("if domain != \"\" { address = local + \"@\" + domain }");
        }
        program.close();
    }

    /// Brings an international domain to ASCII. What only becomes a domain by IDNA's mappings (full-width letters,
    /// the Kelvin sign) is none.
    fn international(&self, program: &mut Program) {
        program.open(format!(
            "if !match(domain, {}) || match(domain, {})",
            regex("^[!-~]*$"),
            regex(r"(?:^|\.)xn--")
        ));
        program.comment("An international domain: each part must be in ASCII form, or in Unicode with letters in lower case.");
        program.line("lower = domain");
        program.line(format!(
            "spelt = if match(lower, {}) {{ [] }} else {{ split({LOWER}, \".\") }}",
            regex(r"\x{212A}")
        ));
        program.line("domain = encode_punycode(domain) ?? \"\"");
        program.line("unicode = decode_punycode(domain) ?? \"\"");
        program.line(format!(
            "if match(unicode, {}) {{ spelt = [] }}",
            regex(r"(?:^|\.)-|-(?:\.|$)")
        ));
        program.line("ascii = split(domain, \".\")");
        program.line("unicode = split(unicode, \".\")");
        program.line("if length(spelt) != length(ascii) { domain = \"\" }");
        program.open("for_each(spelt) -> |index, label|");
        program.line("if label != (get(ascii, [index]) ?? null) && label != (get(unicode, [index]) ?? null) { domain = \"\" }");
        program.close();
        program.close();
    }

    /// Notes in `one` that an exception trusts the name.
    fn trusts(&self, program: &mut Program, exception: &Exception, trusted: &Trusted) {
        program.comment(&format!("Exception {}: {}", exception.id, exception.reason));
        let mut ways = Vec::new();
        let mut list = |program: &mut Program, names: &Names, name: &str, what: &str| {
            if !names.is_empty() {
                let list = program.list(&format!("{} {what}", exception.id), names.iter());
                ways.push(format!("includes({list}, {name})"));
            }
        };
        let mut conditions = vec!["one == \"\"".to_owned()];
        if let Some(rules) = &exception.rules {
            let rules = texts(rules.iter().map(String::as_str));
            conditions.push(format!("includes({rules}, rule)"));
        }
        conditions.extend(self.in_force(exception).flatten());
        program.open(format!("if {}", conditions.join(" && ")));
        list(program, &trusted.tenants, "tenant", "tenants");
        list(program, &trusted.domains, "domain", "domains");
        list(program, &trusted.emails, "address", "addresses");
        if !trusted.parents.is_empty() {
            let below: Vec<String> = trusted
                .parents
                .iter()
                .map(|name| format!(".{name}"))
                .collect();
            let list = program.list(
                &format!("{} below", exception.id),
                below.iter().map(String::as_str),
            );
            ways.push(format!(
                "!is_empty(filter({list}) -> |_, value| {{ ends_with(domain, value) }})"
            ));
        }
        program.line(format!(
            "if {} {{ one = {} }}",
            join(&ways, "||"),
            text(&exception.id)
        ));
        program.close();
    }
}
