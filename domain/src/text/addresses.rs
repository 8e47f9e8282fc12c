//! Mail addresses: their rule, and the forms in which two of them are compared.

use super::characters::{is_invisible, nfc};

/// The signs that structure a list of addresses, or an address with a name. None of them is part of an address that is
/// not in quotation marks (RFC 5322, `specials`). A comma was accepted before, and stays so.
const SPECIALS: [char; 11] = ['<', '>', '(', ')', '[', ']', ':', ';', '\\', '"', '@'];

/// Whether the text is one bare address.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let blank = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let local_is_fine = quoted || !(local.is_empty() || local.contains(SPECIALS));
    let labels = host.contains('.') && !host.starts_with('.') && !host.ends_with('.');
    labels && local_is_fine && !text.contains(blank) && (is_literal(host) || !(host.contains(SPECIALS) || host.contains(',')))
}

/// Whether the host is an IP address in brackets.
fn is_literal(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-')))
}

/// The form in which addresses are compared: lower case, normal form C, and the host in letters, not in Punycode.
pub(super) fn folded(address: &str) -> String {
    forms(address, |host| Some(idna::domain_to_unicode(host)).filter(|(_, read)| read.is_ok()).map(|(host, _)| host))
}

/// The same with the host in Punycode. It differs from [`folded`] for hosts with letters beyond ASCII alone.
pub(super) fn folded_ascii(address: &str) -> String {
    forms(address, |host| idna::domain_to_ascii(host).ok())
}

fn forms(address: &str, of_host: impl Fn(&str) -> Option<String>) -> String {
    let lower = address.to_lowercase();
    let Some((local, host)) = lower.rsplit_once('@') else { return lower };
    if address.is_ascii() && !host.contains("xn--") {
        return lower;
    }
    format!("{}@{}", nfc(local), of_host(host).unwrap_or_else(|| nfc(host).into_owned()))
}
