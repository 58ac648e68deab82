//! Puts values at paths: under nested keys, dotted keys, or any mixture.

use super::dice::Dice;
use super::document::Node;

/// How objects are laid out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    /// So many of a hundred steps are joined to the next by a dot.
    pub dotted: u8,
    /// So many of a hundred times an object is written a second time instead of being added to.
    pub torn: u8,
    /// So many of a hundred objects on the way stand inside an array.
    pub listed: u8,
}

/// An object with these values at these dotted paths.
pub fn object(entries: &[(String, Node)], layout: Layout, dice: &mut Dice) -> Node {
    let mut members = Vec::new();
    for (path, node) in entries {
        let names: Vec<&str> = path.split('.').collect();
        plant(&mut members, &names, node.clone(), layout, dice);
    }
    Node::Map(members)
}

fn plant(
    members: &mut Vec<(Vec<u8>, Node)>,
    names: &[&str],
    node: Node,
    layout: Layout,
    dice: &mut Dice,
) {
    let mut count = 1;
    while count < names.len() && dice.chance(layout.dotted) {
        count += 1;
    }
    let key = names[..count].join(".").into_bytes();
    let rest = &names[count..];
    if rest.is_empty() {
        members.push((key, node));
        return;
    }
    if !dice.chance(layout.torn)
        && let Some(inner) = members
            .iter_mut()
            .filter(|(name, _)| *name == key)
            .find_map(|(_, value)| inner_map(value))
    {
        plant(inner, rest, node, layout, dice);
        return;
    }
    let mut inner = Vec::new();
    plant(&mut inner, rest, node, layout, dice);
    let mut value = Node::Map(inner);
    if dice.chance(layout.listed) {
        value = Node::List(vec![Node::Null, value]);
    }
    members.push((key, value));
}

/// The members of an object, or of the object that is the last element of an array.
fn inner_map(value: &mut Node) -> Option<&mut Vec<(Vec<u8>, Node)>> {
    match value {
        Node::Map(inner) => Some(inner),
        Node::List(items) => inner_map(items.last_mut()?),
        _ => None,
    }
}
