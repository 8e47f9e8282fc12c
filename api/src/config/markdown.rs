//! The list of settings for the documentation.

use super::{Setting, settings, variable};

/// The text before the list.
const FILES: &str = "A secret may be in a file: `BACKSCROLL_MASTER_KEY_FILE=/run/secrets/master_key`, or `master_key_file` in the
settings file. The newline at its end does not count. If the value is set too, the server does not start. The
environment overrides the settings file. A variable that begins with `BACKSCROLL_` and is no setting is refused.";

/// The list of settings as a Markdown table.
#[must_use]
pub fn as_markdown() -> String {
    let mut table = format!("{FILES}\n\n| setting | environment | default | description |\n|---|---|---|---|\n");
    for Setting { name, default, what, is_secret } in settings() {
        let default = match default {
            None => "must be set".to_owned(),
            Some("") => String::new(),
            Some(default) => format!("`{default}`"),
        };
        let file = if *is_secret { format!(" or `{}_FILE`", variable(name)) } else { String::new() };
        table.push_str(&format!("| `{name}` | `{}`{file} | {default} | {what} |\n", variable(name)));
    }
    table
}
