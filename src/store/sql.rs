//! Placeholders for statements over several rows. Only `$n` is ever put into a statement's text, never a value.

use sqlx::{Any, AssertSqlSafe, any::AnyArguments, query::Query};
use std::iter;

/// SQLite keeps a hundred prepared statements, and finds a parameter with a name by walking through all of them: many
/// small statements of few lengths are faster than one long one.
pub(super) const ROWS_AT_ONCE: usize = 32;

/// How the placeholders of a statement are written that has many, and each once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Marks {
    /// `$1`, `$2`: what PostgreSQL wants.
    Numbered,
    /// `?`: SQLite takes `$1` for a name, and for each one that is bound it walks through the names of all.
    Counted,
}

impl Marks {
    /// The rows of a statement that has no other placeholders: `($1,$2),($3,$4)` for two rows of two columns.
    pub(super) fn values(self, rows: usize, columns: usize) -> String {
        let mut text = String::with_capacity(rows * columns * 6);
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ",(" });
            match self {
                Self::Numbered => list_into(&mut text, row * columns + 1, columns),
                Self::Counted => (0..columns).for_each(|n| text.push_str(if n == 0 { "?" } else { ",?" })),
            }
            text.push(')');
        }
        text
    }
}

/// How many rows a statement gets that passes over what is there already: up to 4 each number, above only each fourth, so
/// that it is mostly prepared already. Those beyond repeat the last.
fn padded(count: usize) -> usize {
    if count <= 4 { count } else { count.next_multiple_of(4) }
}

/// The rows for such a statement.
pub(super) fn with_padding<T>(rows: &[T]) -> Vec<&T> {
    filled(rows, padded(rows.len())).collect()
}

/// `$3,$4,$5` for three parameters from the third.
pub(super) fn list(first: usize, count: usize) -> String {
    let mut text = String::with_capacity(count * 6);
    list_into(&mut text, first, count);
    text
}

/// How many placeholders a list of so many values gets: 1, 2, 4, 8 ... Of few lengths, a statement is mostly prepared
/// already.
pub(super) fn rounded(count: usize) -> usize {
    if count == 0 { 0 } else { count.next_power_of_two() }
}

/// A list for these values from this parameter on, and the values to bind, of which the last may be repeated.
pub(super) fn any_of<T>(first: usize, values: &[T]) -> (String, impl Iterator<Item = &T>) {
    let count = rounded(values.len());
    (list(first, count), filled(values, count))
}

/// As many as this, of which the last may be repeated.
fn filled<T>(values: &[T], count: usize) -> impl Iterator<Item = &T> {
    values.iter().chain(iter::repeat_n(values.last(), count - values.len()).flatten())
}

fn list_into(text: &mut String, first: usize, count: usize) {
    for n in first..first + count {
        text.push_str(if n == first { "$" } else { ",$" });
        push_number(text, n);
    }
}

/// As `write!` does, which takes ten times as long: there are thousands of them in a second.
fn push_number(text: &mut String, n: usize) {
    if n >= 10 {
        push_number(text, n / 10);
    }
    text.push(char::from(b'0' + (n % 10) as u8));
}

/// A statement made of literals and placeholders.
pub(super) fn query<'q>(text: String) -> Query<'q, Any, AnyArguments> {
    sqlx::query(AssertSqlSafe(text))
}

#[cfg(test)]
mod tests {
    use super::{Marks, with_padding};

    #[test]
    fn placeholders_count_through() {
        assert_eq!(Marks::Numbered.values(2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(Marks::Counted.values(2, 3), "(?,?,?),(?,?,?)");
        assert_eq!(super::list(4, 2), "$4,$5");
        assert_eq!(super::list(9, 2), "$9,$10");
        assert_eq!(super::list(999, 2), "$999,$1000");
    }

    #[test]
    fn lists_are_of_few_lengths_and_name_nothing_else() {
        let bound = |values: &[i64]| {
            let (list, bound) = super::any_of(3, values);
            (list, bound.copied().collect::<Vec<_>>())
        };
        assert_eq!(bound(&[7]), ("$3".into(), vec![7]));
        assert_eq!(bound(&[7, 8, 9]), ("$3,$4,$5,$6".into(), vec![7, 8, 9, 9]));
        assert_eq!(bound(&[]), (String::new(), vec![]));
    }

    #[test]
    fn rows_are_of_few_numbers_and_none_is_new() {
        let padded = |rows: &[i64]| with_padding(rows).into_iter().copied().collect::<Vec<_>>();
        assert!(padded(&[]).is_empty());
        assert_eq!(padded(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(padded(&[1, 2, 3, 4, 5]), [1, 2, 3, 4, 5, 5, 5, 5]);
    }
}
