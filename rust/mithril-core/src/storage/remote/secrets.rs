//! What must not be read in a message, whoever wrote it.

/// The secrets of a store, in the forms in which a server or a client may repeat them.
pub(super) struct Secrets {
    /// Longest first, so that none is left over in part.
    forms: Vec<String>,
}

const HIDDEN: &str = "...";

/// What stands after these words and one of `=:>` is a secret or a proof of one: of credentials
/// that were fetched while running the store does not know the text.
const NAMES: [&str; 6] =
    ["bearer", "authorization", "signature", "security-token", "securitytoken", "sessiontoken"];

impl Secrets {
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut forms: Vec<String> = secrets
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .flat_map(|secret| {
                [
                    percent_encoded(&secret),
                    secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
                    secret.replace('\\', "\\\\").replace('"', "\\\""),
                    secret.replace('/', "\\/"),
                    secret.replace("\\n", "\n"),
                    secret,
                ]
            })
            .collect();
        forms.sort_unstable_by(|one, two| two.len().cmp(&one.len()).then(one.cmp(two)));
        forms.dedup();
        Self { forms }
    }

    /// `text` without them.
    pub(super) fn hide(&self, text: &str) -> String {
        let known = self
            .forms
            .iter()
            .fold(text.to_owned(), |text, form| text.replace(form.as_str(), HIDDEN));
        NAMES.iter().fold(known, |text, name| without_values(&text, name))
    }
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// `text` with what follows each `name` hidden, up to a blank, a quote, a tag or a separator.
fn without_values(text: &str, name: &str) -> String {
    // Of the same length in bytes, so that places in it are places in the text.
    let lower = text.to_ascii_lowercase();
    let mut cleaned = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices(name) {
        let after = at + name.len();
        let rest = text.get(after..).unwrap_or_default();
        let value = rest.trim_start_matches([' ', '=', ':', '>', '"', '\'']);
        let between = rest.get(..rest.len() - value.len()).unwrap_or_default();
        let separated =
            between.contains(['=', ':', '>']) || (name == "bearer" && !between.is_empty());
        let ends = |c: char| c.is_whitespace() || "\"'<>&,;)".contains(c);
        let length = value.find(ends).unwrap_or(value.len());
        if after < done || !separated || length == 0 {
            continue;
        }
        cleaned.push_str(text.get(done..after + between.len()).unwrap_or_default());
        cleaned.push_str(HIDDEN);
        done = after + between.len() + length;
    }
    cleaned.push_str(text.get(done..).unwrap_or_default());
    cleaned
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn known_secrets_are_hidden_in_every_form() {
        let secrets = Secrets::new(["a/b+c=".to_owned(), "x<&>\"y".to_owned()]);
        for text in
            ["a/b+c=", "a%2Fb%2Bc%3D", "a\\/b+c=", "x<&>\"y", "x&lt;&amp;&gt;\"y", "x<&>\\\"y"]
        {
            assert_eq!(secrets.hide(&format!("before {text} after")), "before ... after");
        }
    }

    #[test]
    fn what_proves_or_carries_a_secret_is_hidden() {
        let secrets = Secrets::new([]);
        for (text, hidden) in [
            ("Authorization: Bearer ya29.abc rest", "Authorization: ... ... rest"),
            ("x-amz-security-token: abc/def==\nnext", "x-amz-security-token: ...\nnext"),
            ("X-Amz-Signature=0123&x=1", "X-Amz-Signature=...&x=1"),
            (
                "{\"authorization\":\"AWS4 Credential=AK, Signature=12ab\"}",
                "{\"authorization\":\"... Credential=AK, Signature=...\"}",
            ),
            ("<SessionToken>abc</SessionToken>", "<SessionToken>...</SessionToken>"),
            ("The request signature we calculated", "The request signature we calculated"),
            ("SignatureDoesNotMatch", "SignatureDoesNotMatch"),
            ("signature: é", "signature: ..."),
            ("a bearer", "a bearer"),
            ("Signature=", "Signature="),
        ] {
            assert_eq!(secrets.hide(text), hidden);
        }
    }
}
