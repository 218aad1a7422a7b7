//! Fits paths of the archive to patterns: `*` stands for any text in one name, `**` for any number of names.

/// Whether a path fits a pattern.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let (name, rest) = split(pattern);
    let (first, below) = split(path);
    match name {
        "**" => {
            let Some(rest) = rest else { return true };
            let mut at = Some(path);
            while let Some(path) = at {
                if fits(rest, path) {
                    return true;
                }
                at = split(path).1;
            }
            false
        }
        _ if !fits_name(name.as_bytes(), first.as_bytes()) => false,
        _ => match (rest, below) {
            (None, None) => true,
            (Some(rest), Some(below)) => fits(rest, below),
            _ => false,
        },
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/')
        .map_or((path, None), |(name, rest)| (name, Some(rest)))
}

/// Only the last star is ever tried again, so the time is bounded by the product of both lengths.
fn fits_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == name.get(n) {
            p += 1;
            n += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            n = taken + 1;
        } else {
            return false;
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&b| b == b'*'))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_stay_in_their_name_and_two_of_them_do_not() {
        for (pattern, path, expected) in [
            ("nodes/*/a/kernel.log", "nodes/n-1/a/kernel.log", true),
            ("nodes/*/kernel.log", "nodes/n-1/a/kernel.log", false),
            ("nodes/*/a", "nodes/n/a/b", false),
            ("nodes/*/a/b", "nodes/n/a", false),
            ("a/kern.log*", "a/kern.log", true),
            ("a/kern.log*", "a/kern.log.1", true),
            ("a/*x*y", "a/1x2x3y", true),
            ("a/*x*y", "a/1x2x3yz", false),
            ("a/**", "a/b/c", true),
            ("a/**", "ab/c", false),
            ("a/**/c.log", "a/c.log", true),
            ("a/**/*.log", "a/1/2/c.log", true),
            ("a/**/*.log", "a/1/2/c.txt", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
