//! Translates Slack's markup to ours. Both use `<@…>`, `<#…>`, `<!…>` and `<address|label>`. Ours has our own
//! identifiers of people and channels, and no `&lt;`, `&gt;` and `&amp;`.

use std::borrow::Cow;

use domain::ids::{ChannelId, UserId};

use super::report::Report;

/// Finds the users and channels of the export's identifiers.
pub(super) trait Names {
    /// The user with this identifier.
    fn user(&self, slack_id: &str) -> Option<UserId>;
    /// The channel with this identifier.
    fn channel(&self, slack_id: &str) -> Option<ChannelId>;
}

/// Translates a text. A mention of an unknown user or channel becomes a plain name, and is reported with `place`.
pub(super) fn translate(text: &str, names: &impl Names, report: &mut Report, place: &str) -> String {
    let mut translated = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        push_plain(&mut translated, &rest[..open]);
        let after = &rest[open + 1..];
        // A bracket that is not closed, or that contains another opening bracket, is an ordinary character.
        let inside = after.find(['<', '>']).filter(|end| after.as_bytes()[*end] == b'>').map(|end| &after[..end]);
        match inside.and_then(|inside| Some((inside, reference(inside, names, report, place)?))) {
            Some((inside, reference)) => {
                translated.push_str(&reference);
                rest = &after[inside.len() + 1..];
            }
            None => {
                translated.push('<');
                rest = after;
            }
        }
    }
    push_plain(&mut translated, rest);
    translated
}

/// Replaces `&lt;`, `&gt;` and `&amp;` by their characters. Slack escapes no others.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    push_plain(&mut plain, text);
    Cow::Owned(plain)
}

fn push_plain(to: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        to.push_str(&rest[..at]);
        let entity = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&')].into_iter().find(|(entity, _)| rest[at..].starts_with(entity));
        let (length, character) = entity.map_or((1, '&'), |(entity, character)| (entity.len(), character));
        to.push(character);
        rest = &rest[at + length..];
    }
    to.push_str(rest);
}

/// Translates the text between brackets. `None` if it is not markup.
fn reference(inside: &str, names: &impl Names, report: &mut Report, place: &str) -> Option<String> {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inside, None),
    };
    match target.as_bytes().first()? {
        b'@' => Some(person(&target[1..], label, names, report, place)),
        b'#' => Some(channel(&target[1..], label, names, report, place)),
        b'!' => Some(special(&target[1..], label, report, place)),
        _ if is_address(target) => Some(link(target, label)),
        _ => None,
    }
}

fn person(slack_id: &str, label: Option<&str>, names: &impl Names, report: &mut Report, place: &str) -> String {
    if let Some(id) = names.user(slack_id) {
        return format!("<@{id}>");
    }
    let name = plain_name('@', label.unwrap_or(slack_id));
    report.turned("mention of somebody unknown into their name", || format!("{place}: {name}"));
    name
}

fn channel(slack_id: &str, label: Option<&str>, names: &impl Names, report: &mut Report, place: &str) -> String {
    if let Some(id) = names.channel(slack_id) {
        return format!("<#{id}>");
    }
    let name = plain_name('#', label.unwrap_or(slack_id));
    report.turned("mention of an unknown channel into its name", || format!("{place}: {name}"));
    name
}

fn plain_name(sign: char, name: &str) -> String {
    format!("{sign}{}", unescape(name).trim_start_matches(sign))
}

/// `<!here>`, `<!subteam^S1|@growers>`, `<!date^1452837318^{date}|Jan 15>`.
fn special(target: &str, label: Option<&str>, report: &mut Report, place: &str) -> String {
    let (command, arguments) = target.split_once('^').unwrap_or((target, ""));
    match command {
        "here" | "everyone" | "channel" => return format!("<!{command}>"),
        // The name of `<!channel>` in private channels of old exports.
        "group" => return "<!channel>".into(),
        _ => {}
    }
    let first = arguments.split('^').next().unwrap_or_default();
    let plain = match (command, label) {
        ("subteam", label) => plain_name('@', label.unwrap_or(first)),
        ("date", None) => super::model::moment(first).map_or_else(|| first.to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string()),
        (_, Some(label)) => unescape(label).into_owned(),
        (_, None) => format!("!{target}"),
    };
    report.turned("group mention, date or command into plain text", || format!("{place}: {plain}"));
    plain
}

/// An address keeps its brackets and its label. Characters that would close the bracket early are replaced.
fn link(target: &str, label: Option<&str>) -> String {
    let address = unescape(target).replace('<', "%3C").replace('>', "%3E").replace('|', "%7C");
    match label {
        None => format!("<{address}>"),
        Some(label) => format!("<{address}|{}>", unescape(label).replace('<', "‹").replace('>', "›")),
    }
}

fn is_address(target: &str) -> bool {
    let Some((scheme, rest)) = target.split_once(':') else { return false };
    let of_a_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(of_a_scheme)
        && !rest.is_empty()
        && !target.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use domain::formatting::FormattedContent;
    use uuid::Uuid;

    use super::*;

    struct Known;

    const ANN: UserId = UserId(Uuid::from_u128(0xa));
    const ORCHARD: ChannelId = ChannelId(Uuid::from_u128(0xb));

    impl Names for Known {
        fn user(&self, slack_id: &str) -> Option<UserId> {
            (slack_id == "U1").then_some(ANN)
        }

        fn channel(&self, slack_id: &str) -> Option<ChannelId> {
            (slack_id == "C1").then_some(ORCHARD)
        }
    }

    fn ours(text: &str) -> String {
        translate(text, &Known, &mut Report::default(), "here")
    }

    #[test]
    fn people_and_channels_are_named_by_their_identifiers_here() {
        assert_eq!(ours("<@U1> and <@U1|ann>: see <#C1|orchard>!"), format!("<@{ANN}> and <@{ANN}>: see <#{ORCHARD}>!"));
    }

    #[test]
    fn unknown_references_become_names_and_are_reported() {
        let mut report = Report::default();
        let text = translate("<@U9|bob> <@U9> <#C9|attic> <#C9>", &Known, &mut report, "here");
        assert_eq!(text, "@bob @U9 #attic #C9");
        assert_eq!(report.turned_into.values().map(|tally| tally.count).sum::<u64>(), 4);
    }

    #[test]
    fn broadcasts_stay_and_other_commands_become_text() {
        assert_eq!(ours("<!here> <!here|here> <!channel> <!everyone> <!group>"), "<!here> <!here> <!channel> <!everyone> <!channel>");
        assert_eq!(ours("<!subteam^S1|@growers> <!subteam^S1>"), "@growers @S1");
        assert_eq!(ours("<!date^1452837318^{date}^https://x.example|Jan 15> <!date^1452837318^{date}>"), "Jan 15 2016-01-15 05:55 UTC");
        assert_eq!(ours("<!foo|bar> <!foo>"), "bar !foo");
    }

    #[test]
    fn links_keep_their_labels() {
        assert_eq!(ours("<https://a.example/?x=1&amp;y=2|a &amp; b>"), "<https://a.example/?x=1&y=2|a & b>");
        assert_eq!(
            ours("<mailto:ann@a.example|ann@a.example> <http://a.example>"),
            "<mailto:ann@a.example|ann@a.example> <http://a.example>"
        );
        assert_eq!(ours("<https://a.example/&gt;|x &gt; y>"), "<https://a.example/%3E|x › y>");
        let content = FormattedContent::of(&ours("<https://a.example|label> <@U1> <#C1>"));
        assert_eq!((content.links.len(), content.mentions, content.channels), (1, vec![ANN], vec![ORCHARD]));
    }

    #[test]
    fn entities_are_unescaped_once() {
        assert_eq!(ours("1 &lt; 2 &amp;&amp; 3 &gt; 2, &amp;lt; &quot; & &"), "1 < 2 && 3 > 2, &lt; &quot; & &");
    }

    #[test]
    fn text_that_is_not_markup_is_unchanged() {
        for text in ["a < b", "<", "<>", "<<", "<b>bold</b>", "< @U1>", "<not an address>", "<|x>", "ünï <cödé", "Vec<Option<T>>"] {
            assert_eq!(ours(text), text);
        }
        assert_eq!(ours("a <b <@U1>"), format!("a <b <@{ANN}>"));
    }
}
