//! Cutting texts into lines or paragraphs, and texts without some of them.

use crate::options::Method;
use std::ops::Range;

/// What a text is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// What is between line feeds.
    Line,
    /// A run of lines that are not blank, between those that are.
    Paragraph,
}

/// A line or a paragraph of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its number in the text, from zero; blank lines count, of paragraphs there are no blank ones.
    pub(crate) number: u64,
    /// What it says: it without white space at both ends. Empty for a blank line.
    pub(crate) content: Range<usize>,
    /// All of it, with the line feed, and the blank lines after a paragraph.
    pub(crate) whole: Range<usize>,
}

impl Unit {
    /// The unit that a method removes, if it removes any.
    pub(crate) fn of(method: Method) -> Option<Self> {
        match method {
            Method::Lines => Some(Self::Line),
            Method::Paragraphs => Some(Self::Paragraph),
            Method::MinHash | Method::Exact | Method::Containment => None,
        }
    }

    /// The parts of a text in their order. Blank lines before the first paragraph belong to none.
    pub(crate) fn cut(self, text: &str) -> impl Iterator<Item = Part> {
        let (mut lines, mut number) = (lines(text).peekable(), 0);
        std::iter::from_fn(move || {
            if self == Self::Paragraph {
                while lines.next_if(|(content, _)| content.is_empty()).is_some() {}
            }
            let (mut content, mut whole) = lines.next()?;
            if self == Self::Paragraph {
                while let Some((next, line)) = lines.next_if(|(content, _)| !content.is_empty()) {
                    (content.end, whole.end) = (next.end, line.end);
                }
                while let Some((_, line)) = lines.next_if(|(content, _)| content.is_empty()) {
                    whole.end = line.end;
                }
            }
            number += 1;
            Some(Part { number: number - 1, content, whole })
        })
    }

    /// The text without these ranges, which are whole parts of it, ascending. Where the last part goes, what
    /// ended the one before it goes too, unless the text had the same at its own end.
    pub(crate) fn without<'a>(
        self,
        text: &str,
        ranges: impl IntoIterator<Item = &'a Range<usize>>,
    ) -> String {
        let (mut rest, mut end) = (String::with_capacity(text.len()), 0);
        for range in ranges {
            rest.push_str(text.get(end..range.start).unwrap_or_default());
            end = range.end;
        }
        rest.push_str(text.get(end..).unwrap_or_default());
        if end == text.len() && !text.ends_with('\n') {
            let last =
                |text: &str| lines(text).last().map(|(content, whole)| (content.is_empty(), whole));
            if self == Self::Paragraph {
                while let Some((true, whole)) = last(&rest) {
                    rest.truncate(whole.start);
                }
            }
            if rest.ends_with('\n') {
                rest.pop();
                if rest.ends_with('\r') {
                    rest.pop();
                }
            }
        }
        rest
    }
}

/// The content, without white space around it, and the whole of each line with its line feed.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let whole = start..start + line.len();
        start = whole.end;
        let content = line.trim_start();
        let begin = whole.end - content.len();
        (begin..begin + content.trim_end().len(), whole)
    })
}
