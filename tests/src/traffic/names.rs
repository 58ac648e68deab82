//! The invented world the traffic comes from: one tenant, its staff, and the tenants and people it talks to.
//!
//! Everything here is made up or reserved for examples. The same directory serves every seed, so that tenants and
//! people are stable between runs.

use std::sync::LazyLock;

use super::rng::{Guid, Rng};

/// An organisation.
pub(super) struct Tenant {
    pub domain: &'static str,
    pub id: Guid,
}

/// A person with an account.
pub(super) struct Person {
    pub display: String,
    pub upn: String,
    pub id: Guid,
    /// The "passport unique id" that audit records call `UserKey`.
    pub puid: String,
    pub tenant: &'static Tenant,
    /// Name or address holds the letters `it`, which is half of one of rule B's pairs.
    pub has_it: bool,
}

/// The tenants and people.
pub(super) struct Directory {
    pub staff: Vec<Person>,
    pub outsiders: Vec<Person>,
}

/// The tenant whose records these are.
pub(super) static HOME: LazyLock<Tenant> = LazyLock::new(|| tenant("contoso.example", 1));

/// The tenants it has chats with.
pub(super) static FOREIGN: LazyLock<Vec<Tenant>> = LazyLock::new(|| {
    FOREIGN_DOMAINS
        .iter()
        .enumerate()
        .map(|(at, domain)| tenant(domain, at as u64 + 2))
        .collect()
});

/// The people on both sides.
pub(super) static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let mut rng = Rng::new(0x706f_7365_7572);
    let mut directory = Directory {
        staff: Vec::new(),
        outsiders: Vec::new(),
    };
    for (firsts, lasts) in NAMES {
        for (at, first) in firsts.iter().enumerate() {
            for (step, last) in lasts.iter().enumerate() {
                // Four of five combinations: a full grid of names looks like one.
                if (at + step) % 5 == 4 {
                    continue;
                }
                let outside = rng.one_in(4);
                let tenant = if outside { rng.pick(&FOREIGN) } else { &*HOME };
                let person = person(*first, *last, tenant, &mut rng);
                if outside {
                    directory.outsiders.push(person);
                } else {
                    directory.staff.push(person);
                }
            }
        }
    }
    directory
});

fn tenant(domain: &'static str, seed: u64) -> Tenant {
    Tenant {
        domain,
        id: Rng::new(seed ^ 0x7465_6e61_6e74).guid(),
    }
}

fn person(
    first: (&str, &str),
    last: (&str, &str),
    tenant: &'static Tenant,
    rng: &mut Rng,
) -> Person {
    let display = if rng.one_in(12) {
        format!("{}, {}", last.0, first.0)
    } else {
        format!("{} {}", first.0, last.0)
    };
    let local = match rng.below(8) {
        0 => format!("{}{}", first.1, &last.1[..1]),
        1 => format!("{}{}", &first.1[..1], last.1),
        _ => format!("{}.{}", first.1, last.1),
    };
    let local = if rng.one_in(6) {
        local
    } else {
        local.to_ascii_lowercase()
    };
    let upn = format!("{local}@{}", tenant.domain);
    let has_it = format!("{display} {upn}").to_lowercase().contains("it");
    Person {
        display,
        upn,
        id: rng.guid(),
        puid: format!("1003{:012X}", rng.u64() >> 16),
        tenant,
        has_it,
    }
}

/// A random external address: one of the blocks that RFC 5737 and RFC 3849 set aside for examples.
pub(super) struct Address {
    text: [u8; 24],
    len: usize,
}

impl Address {
    pub fn random(rng: &mut Rng) -> Self {
        use std::io::Write;
        let mut text = [0u8; 24];
        let mut rest = &mut text[..];
        let room = rest.len();
        let net = rng.word(&["192.0.2.", "198.51.100.", "203.0.113."]);
        let written = if rng.one_in(12) {
            write!(
                rest,
                "2001:db8:{:x}::{:x}",
                rng.range(1, 0x1000),
                rng.range(1, 0x1000)
            )
        } else {
            write!(rest, "{net}{}", rng.range(1, 255))
        };
        written.expect("an address fits");
        let len = room - rest.len();
        Self { text, len }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.len]).expect("an address is ASCII")
    }
}

const FOREIGN_DOMAINS: &[&str] = &[
    "fabrikam.example",
    "northwind-freight.example",
    "tailspin-toys.example",
    "adventure-cycles.example",
    "litware-labs.example",
    "wingtip-foods.example",
    "proseware-energy.example",
    "blueyonder.example.net",
    "alpine-ski.example.org",
    "woodgrove.example.com",
    "lucerne-verlag.example",
    "coho-vineyard.example.org",
    "margies-travel.example",
    "graphic-institute.example",
];

/// A name as shown and as an address spells it.
type Name = (&'static str, &'static str);

/// First and last names by language; they are combined within a language.
const NAMES: &[(&[Name], &[Name])] = &[
    (
        &[
            ("Anna", "Anna"),
            ("Ben", "Ben"),
            ("Carol", "Carol"),
            ("Dwayne", "Dwayne"),
            ("Edith", "Edith"),
            ("Fiona", "Fiona"),
            ("George", "George"),
            ("Hannah", "Hannah"),
            ("Ian", "Ian"),
            ("Judith", "Judith"),
            ("Kelvin", "Kelvin"),
            ("Laura", "Laura"),
        ],
        &[
            ("Archer", "Archer"),
            ("Bramley", "Bramley"),
            ("Croft", "Croft"),
            ("Smith", "Smith"),
            ("Whitaker", "Whitaker"),
            ("O'Neill", "ONeill"),
            ("Penrose", "Penrose"),
            ("Quimby", "Quimby"),
            ("Redfern", "Redfern"),
            ("St. John-Holt", "StJohn-Holt"),
            ("Tindall", "Tindall"),
            ("Underhill", "Underhill"),
        ],
    ),
    (
        &[
            ("Zoë", "Zoe"),
            ("François", "Francois"),
            ("Hélène", "Helene"),
            ("Jürgen", "Juergen"),
            ("Søren", "Soren"),
        ],
        &[
            ("Lefèvre", "Lefevre"),
            ("Müller", "Mueller"),
            ("Nuñez", "Nunez"),
            ("Ångström", "Angstrom"),
            ("D'Aubigné", "DAubigne"),
            ("Østergård", "Ostergard"),
        ],
    ),
    (
        &[
            ("Paweł", "Pawel"),
            ("Zdeněk", "Zdenek"),
            ("Ilona", "Ilona"),
            ("Şebnem", "Sebnem"),
        ],
        &[
            ("Wójcik", "Wojcik"),
            ("Dvořák", "Dvorak"),
            ("Szőke", "Szoke"),
            ("Yıldız", "Yildiz"),
        ],
    ),
    (
        &[
            ("Иван", "Ivan"),
            ("Ольга", "Olga"),
            ("Дмитро", "Dmytro"),
            ("Марія", "Mariia"),
        ],
        &[
            ("Соколов", "Sokolov"),
            ("Коваль", "Koval"),
            ("Петров", "Petrov"),
            ("Шевчук", "Shevchuk"),
        ],
    ),
    (
        &[
            ("Ελένη", "Eleni"),
            ("Νίκος", "Nikos"),
            ("Γιώργος", "Giorgos"),
        ],
        &[
            ("Παππάς", "Pappas"),
            ("Βλάχος", "Vlachos"),
            ("Μακρής", "Makris"),
        ],
    ),
    (
        &[
            ("愛子", "Aiko"),
            ("健", "Ken"),
            ("さくら", "Sakura"),
            ("大輔", "Daisuke"),
        ],
        &[
            ("佐藤", "Sato"),
            ("鈴木", "Suzuki"),
            ("伊藤", "Ito"),
            ("渡辺", "Watanabe"),
        ],
    ),
    (
        &[("伟", "Wei"), ("秀英", "Xiuying"), ("磊", "Lei")],
        &[("王", "Wang"), ("陈", "Chen"), ("赵", "Zhao")],
    ),
    (
        &[("민준", "Minjun"), ("서연", "Seoyeon"), ("지훈", "Jihun")],
        &[("김", "Kim"), ("박", "Park"), ("최", "Choi")],
    ),
    (
        &[("ليلى", "Layla"), ("يوسف", "Yusuf"), ("נועה", "Noa")],
        &[("حداد", "Haddad"), ("منصور", "Mansour"), ("לוי", "Levi")],
    ),
    (
        &[
            ("अमित", "Amit"),
            ("प्रिया", "Priya"),
            ("Sunita", "Sunita"),
            ("Rohit", "Rohit"),
        ],
        &[
            ("शर्मा", "Sharma"),
            ("Gupta", "Gupta"),
            ("राव", "Rao"),
            ("Dikshit", "Dikshit"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What the two rules look for, or half of it. Nobody in the directory may carry any: background traffic must
    /// not match by accident.
    const LOADED: &[&str] = &[
        "help", "desk", "support", "working", "home", "ithelp", "it.help", "security",
    ];

    #[test]
    fn nobody_carries_a_keyword() {
        let people = DIRECTORY.staff.iter().chain(&DIRECTORY.outsiders);
        for person in people {
            let text = format!("{}\n{}", person.display, person.upn).to_lowercase();
            assert!(LOADED.iter().all(|word| !text.contains(word)), "{text}");
        }
        assert!(DIRECTORY.staff.len() >= 150 && DIRECTORY.outsiders.len() >= 50);
    }

    #[test]
    fn domains_are_reserved_for_examples() {
        let reserved = [".example", ".example.com", ".example.net", ".example.org"];
        assert!(
            FOREIGN
                .iter()
                .all(|tenant| reserved.iter().any(|end| tenant.domain.ends_with(end)))
        );
    }
}
