//! What a rule answers about a place in the text: a range to replace, what ends it, what it means for the lines after.

use std::ops::Range;

use crate::carry::Carry;
use crate::class;
use crate::rules::RuleId;

/// The longest secret that is found whole wherever it lies in a line, in bytes. Tokens and keys in the field are below
/// 8 KiB; a longer one is replaced too, but only from its name or prefix onwards.
pub const MAX_SECRET: usize = 16 << 10;

/// One logical line, or a window of an overlong one, as the rules see it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) text: &'a [u8],
    /// The view begins where the line begins.
    pub(crate) from_start: bool,
    /// The view ends where the line ends.
    pub(crate) to_end: bool,
}

impl<'a> View<'a> {
    pub(crate) fn line(text: &'a [u8]) -> Self {
        Self {
            text,
            from_start: true,
            to_end: true,
        }
    }
}

/// What ends a secret; needed again where a window ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The first byte outside these classes (see [`class`]).
    Class(u8),
    /// White space or a quote.
    Word,
    /// A quote that closes a string whose opening quote had this many backslashes.
    Quote(u8, usize),
    /// The first byte that cannot be in a PEM block written on one line.
    Pem,
    /// The end of the line.
    Line,
}

impl Stop {
    /// Where a secret that goes on at the start of `text` ends.
    pub(crate) fn end(self, text: &[u8]) -> usize {
        let outside = |f: &dyn Fn(u8) -> bool| text.iter().position(|&b| f(b)).unwrap_or(text.len());
        match self {
            Self::Class(class) => class::run(text, 0, class),
            Self::Word => outside(&|b| class::is(b, class::SPACE | class::QUOTE)),
            Self::Quote(quote, level) => crate::value::closing_quote(text, 0, quote, level),
            Self::Pem => outside(&|b| !crate::pem::in_body(b)),
            Self::Line => text.len(),
        }
    }
}

/// A place to replace. An empty range replaces nothing and only sets `carry`.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) rule: RuleId,
    pub(crate) stop: Stop,
    /// The value was a bare JSON number: the marker is put in quotes with this many backslashes before each.
    pub(crate) quoted: Option<usize>,
    pub(crate) carry: Option<Carry>,
}

impl Found {
    pub(crate) fn new(rule: RuleId, range: Range<usize>, stop: Stop) -> Self {
        Self {
            range,
            rule,
            stop,
            quoted: None,
            carry: None,
        }
    }

    /// Replaces nothing; the next line is looked at with `carry`.
    pub(crate) fn carrying(at: usize, rule: RuleId, carry: Carry) -> Self {
        Self {
            carry: Some(carry),
            ..Self::new(rule, at..at, Stop::Line)
        }
    }
}
