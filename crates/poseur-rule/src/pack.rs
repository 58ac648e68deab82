//! The built-in pack: what Poseur looks for when it is given no rules.

use crate::model::Rule;
use crate::sigma;

/// The rules of the pack: the name their places give, and the document.
const RULES: [(&str, &str); 2] = [
    (
        "built-in:help-desk-chat-created",
        include_str!("../packs/help-desk-chat-created.yml"),
    ),
    (
        "built-in:suspicious-external-contact",
        include_str!("../packs/suspicious-external-contact.yml"),
    ),
];

/// The built-in rules, in a fixed order.
pub fn built_in() -> Vec<Rule> {
    RULES
        .into_iter()
        .flat_map(|(name, text)| {
            let documents = sigma::read(name, text);
            // The texts are part of the program; a test reads every one of them.
            debug_assert_eq!(documents.errors, []);
            documents.rules
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_of_the_pack_is_one_rule() {
        for (name, text) in RULES {
            let documents = sigma::read(name, text);
            assert_eq!(documents.errors, [], "{name}");
            assert_eq!(documents.rules.len(), 1, "{name}");
            assert_eq!(documents.filters, [], "{name}");
        }
        assert_eq!(built_in().len(), RULES.len());
    }
}
