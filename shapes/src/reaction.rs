//! The reactions to a message: the emojis in the order in which they were first used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The most users of each emoji that a message lists.
pub const REACTION_USERS_MAX: usize = 50;

/// The reactions to a message with one emoji.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The emoji, or the name of an emoji of the workspace.
    #[schema(example = "🎉")]
    pub emoji: String,
    /// The number of users who reacted with it.
    pub count: i64,
    /// The first of these users, at most 50, in the order of their reactions. `GET …/reactions/{emoji}` has all.
    #[schema(max_items = 50)]
    pub users: Vec<Uuid>,
}

/// Adds a user's reaction. Returns whether it is new. A user who took a reaction back leaves a gap in the list, which
/// later users fill.
pub fn add_reaction(reactions: &mut Vec<Reaction>, emoji: &str, user_id: Uuid) -> bool {
    let Some(reaction) = reactions.iter_mut().find(|reaction| reaction.emoji == emoji) else {
        reactions.push(Reaction { emoji: emoji.to_owned(), count: 1, users: vec![user_id] });
        return true;
    };
    // A log that was imported may repeat a reaction.
    if reaction.users.contains(&user_id) {
        return false;
    }
    reaction.count += 1;
    if reaction.users.len() < REACTION_USERS_MAX {
        reaction.users.push(user_id);
    }
    true
}

/// Removes a user's reaction. Returns whether the message has reactions with the emoji. An emoji stays
/// as long as a user reacts with it.
pub fn remove_reaction(reactions: &mut Vec<Reaction>, emoji: &str, user_id: Uuid) -> bool {
    let Some(at) = reactions.iter().position(|reaction| reaction.emoji == emoji) else { return false };
    let reaction = &mut reactions[at];
    reaction.count -= 1;
    reaction.users.retain(|user| *user != user_id);
    if reaction.count <= 0 {
        reactions.remove(at);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    fn emojis(reactions: &[Reaction]) -> Vec<&str> {
        reactions.iter().map(|reaction| reaction.emoji.as_str()).collect()
    }

    #[test]
    fn emojis_are_in_the_order_in_which_they_were_first_used() {
        let mut reactions = Vec::new();
        for (emoji, by) in [("🍐", 1), ("🍎", 2), ("🍐", 3), ("🍎", 1)] {
            assert!(add_reaction(&mut reactions, emoji, user(by)));
        }
        assert!(!add_reaction(&mut reactions, "🍎", user(1)));
        assert_eq!(emojis(&reactions), ["🍐", "🍎"]);
        // The first user takes it back, and another one stays: so does the place.
        assert!(remove_reaction(&mut reactions, "🍐", user(1)));
        assert_eq!((emojis(&reactions), reactions[0].count, &reactions[0].users), (vec!["🍐", "🍎"], 1, &vec![user(3)]));
        // Nobody uses it any more. A later reaction with it is the last of the list.
        assert!(remove_reaction(&mut reactions, "🍐", user(3)));
        assert!(!remove_reaction(&mut reactions, "🍐", user(3)));
        assert!(add_reaction(&mut reactions, "🍐", user(1)));
        assert_eq!(emojis(&reactions), ["🍎", "🍐"]);
    }

    #[test]
    fn an_emoji_stays_as_long_as_a_user_reacts_with_it() {
        let mut reactions = Vec::new();
        for n in 1..=REACTION_USERS_MAX + 2 {
            add_reaction(&mut reactions, "🎉", user(n));
        }
        assert_eq!((reactions[0].users.len(), reactions[0].count), (REACTION_USERS_MAX, 52));
        for n in 1..=REACTION_USERS_MAX {
            remove_reaction(&mut reactions, "🎉", user(n));
        }
        assert_eq!((reactions[0].users.len(), reactions[0].count), (0, 2));
        add_reaction(&mut reactions, "🎉", user(1));
        assert_eq!((&reactions[0].users, reactions[0].count), (&vec![user(1)], 3));
        for n in [51, 52, 1] {
            remove_reaction(&mut reactions, "🎉", user(n));
        }
        assert!(reactions.is_empty());
    }
}
