//! Turns a user of the export into a registration.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::UserEvent;
use domain::text::{AvatarUrl, DisplayName, Email, Emoji, InvalidText, Language, Phone, Pronouns, StatusText, Timezone, Title, Username};
use domain::user::{Preferences, Profile, Registration};
use serde_json::Value;

use super::model::{SlackProfile, SlackUser, second, some};
use super::names::{cut, line};
use super::people::{UnlistedPerson, id_of};
use super::run::Run;

/// A user to be registered.
pub(super) struct NewUser {
    pub slack_id: String,
    /// The wished name.
    pub name: String,
    pub email: Option<Email>,
    pub at: DateTime<Utc>,
    profile: Profile,
    preferences: Preferences,
    is_bot: bool,
    status: Option<UserEvent>,
}

impl NewUser {
    /// The events of the user's stream.
    pub(super) fn events(self, email: Email, username: &Username) -> Vec<UserEvent> {
        let Self { profile, preferences, is_bot, status, .. } = self;
        let registration = Registration { email, username: username.clone(), profile, preferences, is_bot, is_operator: false };
        std::iter::once(UserEvent::Registered(Box::new(registration))).chain(status).collect()
    }
}

/// The address, if it is valid.
pub(super) fn email(user: &SlackUser) -> Option<Email> {
    user.profile.as_ref().and_then(|profile| some(profile.email.as_ref())).and_then(|email| Email::parse(email).ok())
}

/// Profile values without a field here: a workspace's custom fields, and a Skype name.
fn values_without_field(profile: &SlackProfile) -> Vec<String> {
    let own = profile.fields.as_ref().and_then(|fields| serde_json::from_str::<BTreeMap<String, Value>>(fields.get()).ok());
    let said = own.into_iter().flatten().filter_map(|(_, field)| Some(field.get("value")?.as_str()?.to_owned()));
    let skype = some(profile.skype.as_ref()).map(|address| format!("Skype: {address}"));
    said.filter(|value| !value.is_empty()).chain(skype).collect()
}

/// A user of the list.
pub(super) fn new_user<S>(user: &SlackUser, run: &mut Run<'_, S>) -> Result<NewUser, InvalidText> {
    let none = SlackProfile::default();
    let profile = user.profile.as_ref().unwrap_or(&none);
    let slack_id = id_of(user).to_owned();
    let email = email(user);
    if email.is_none() {
        let said = profile.email.clone().unwrap_or_default();
        run.report
            .turned("missing address into a made-up one", || format!("{slack_id} {} {said}", user.name.as_deref().unwrap_or_default()));
    }
    for field in values_without_field(profile) {
        run.report.skip("field of a profile that has no place here", || format!("{slack_id} {field}"));
    }
    let timezone = some(user.tz.as_ref()).and_then(|tz| Timezone::parse(tz).ok());
    if let (None, Some(tz)) = (&timezone, some(user.tz.as_ref())) {
        run.report.skip("time zone that does not exist", || format!("{slack_id} {tz}"));
    }
    let names = [&profile.display_name, &profile.real_name, &user.real_name, &user.name];
    let preferences = Preferences {
        timezone,
        language: some(user.locale.as_ref()).and_then(|locale| Language::parse(locale).ok()),
        ..Preferences::default()
    };
    Ok(NewUser {
        name: first(&[&user.name, &profile.display_name, &profile.real_name]).unwrap_or(&slack_id).to_owned(),
        email,
        at: run.began_at,
        profile: profile_of(profile, first(&names), &slack_id)?,
        preferences,
        is_bot: user.is_bot || slack_id == "USLACKBOT",
        status: status(profile),
        slack_id,
    })
}

/// Makes a user from the few data that the export has of an unlisted person.
pub(super) fn of_unlisted(person: UnlistedPerson, at: DateTime<Utc>) -> Result<NewUser, InvalidText> {
    let UnlistedPerson { slack_id, name, is_bot, avatar } = person;
    let profile = SlackProfile { image_512: avatar, ..SlackProfile::default() };
    let name = some(name.as_ref()).map(str::to_owned);
    Ok(NewUser {
        profile: profile_of(&profile, name.as_deref(), &slack_id)?,
        name: name.unwrap_or_else(|| slack_id.clone()),
        email: None,
        at,
        preferences: Preferences::default(),
        is_bot,
        status: None,
        slack_id,
    })
}

fn profile_of(profile: &SlackProfile, name: Option<&str>, slack_id: &str) -> Result<Profile, InvalidText> {
    let pictures = [&profile.image_original, &profile.image_512, &profile.image_192, &profile.image_72];
    Ok(Profile {
        display_name: display_name(name, slack_id)?,
        avatar_url: first(&pictures).and_then(|url| AvatarUrl::parse(url).ok()),
        title: some(profile.title.as_ref()).and_then(|title| Title::parse(&line(title, Title::CHARS_MAX)).ok()),
        phone: some(profile.phone.as_ref()).and_then(|phone| Phone::parse(&line(phone, Phone::CHARS_MAX)).ok()),
        bio: None,
        pronouns: some(profile.pronouns.as_ref()).and_then(|pronouns| Pronouns::parse(&line(pronouns, Pronouns::CHARS_MAX)).ok()),
    })
}

fn display_name(name: Option<&str>, slack_id: &str) -> Result<DisplayName, InvalidText> {
    let shown = |text: &str| DisplayName::parse(&line(text, DisplayName::CHARS_MAX));
    name.map_or_else(|| shown(slack_id), shown).or_else(|_| shown(slack_id)).or_else(|_| shown("Unknown person"))
}

fn status(profile: &SlackProfile) -> Option<UserEvent> {
    let text = some(profile.status_text.as_ref()).and_then(|text| StatusText::parse(&line(text, StatusText::CHARS_MAX)).ok());
    let emoji = some(profile.status_emoji.as_ref()).and_then(emoji);
    let expires_at = second(profile.status_expiration);
    (text.is_some() || emoji.is_some()).then_some(UserEvent::StatusChanged { text, emoji, expires_at })
}

/// An emoji by its short name, with its skin tone after `::`. A name that is no emoji of Unicode is one of the
/// workspace.
pub(super) fn emoji(name: &str) -> Option<Emoji> {
    Emoji::parse(&cut(name, Emoji::CHARS_MAX)).ok()
}

fn first<'a>(texts: &[&'a Option<String>]) -> Option<&'a str> {
    texts.iter().find_map(|text| some(text.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_values_without_a_field_are_reported() {
        let profile = r#"{"skype": "ann.tree", "fields": {"Xf1": {"value": "she keeps bees", "alt": ""}, "Xf2": {"value": ""}}}"#;
        let profile = serde_json::from_str::<SlackProfile>(profile).expect("a profile");
        assert_eq!(values_without_field(&profile), ["she keeps bees", "Skype: ann.tree"]);
        for none in [r#"{"fields": null, "skype": ""}"#, r#"{"fields": []}"#, "{}"] {
            let profile = serde_json::from_str::<SlackProfile>(none).expect("a profile");
            assert_eq!(values_without_field(&profile), Vec::<String>::new(), "{none}");
        }
    }
}
